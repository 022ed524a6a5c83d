"""A face that is not seen, on the device's code: what the processor's stages expect of it, frame by frame and after."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tracker.device import row  # noqa: E402
from tracker.device.coast import Coast  # noqa: E402
from tracker.device.face_frame import FaceFrame, shared_on  # noqa: E402
from tracker.device.graph import Graph  # noqa: E402
from tracker.device.network import Student  # noqa: E402
from tracker.device.operators import ROWS, Operators, operators_for  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402
from tracker.face.parameters import TrackState  # noqa: E402
from tracker.kernels import follow  # noqa: E402
from tracker.kernels.backend import choose, operator  # noqa: E402
from tracker.refine.fit import Refiner, unseen  # noqa: E402
from tracker.refine.resembler import Resembler  # noqa: E402
from tracker.refine.sharpen import RefineSettings  # noqa: E402
from tracker.regress.regressor import Guess, _presence  # noqa: E402
from tracker.smooth import Smoother, SmoothSettings  # noqa: E402
from tracker.smooth.estimate import Estimator  # noqa: E402

LOOKS, MISSED = 8, 9
"""Frames in which the face is seen, then not; one more look follows."""


class Stages:
    """The processor's for one face, without a Gauss-Newton step: what the filters take is the same number."""

    def __init__(self, ahead_ms):
        model, kernels = FaceModel.load(), choose()
        self.refiner = Refiner(1, model, kernels.locate)
        self.resembler = Resembler(1, model, kernels.resemble, RefineSettings(0))
        self.smoother = Smoother(SmoothSettings(ahead_ms=ahead_ms), kernels.imm)
        self.estimator = Estimator(model, kernels.morph, kernels.project, kernels.portray)

    def see(self, look):
        guess = Guess(look.roi, look.crop, look.vector, _presence(look.vector))
        self.fit = self.resembler(guess, self.refiner(guess, 0, 0), 0)
        (filtered,) = self.smoother([self.fit], look.seconds)
        self.face = self._estimate(self.fit, filtered, look.camera, TrackState.TRACKING)
        return self.face

    def miss(self, camera, seconds):
        fit = unseen(self.fit, self.face)
        return self._estimate(fit, self.smoother.coast(0, seconds), camera, TrackState.COASTING)

    def _estimate(self, fit, filtered, camera, state):
        identity, lighting = self.resembler.identity_of(0), self.resembler.lighting_of(0)
        return self.estimator(fit, filtered, identity, camera, lighting, state)


def shared_by(device, ahead_ms=0.0):
    return shared_on(
        device, 1, FaceModel.load(), Student().to(device), RefineSettings(0), SmoothSettings(ahead_ms=ahead_ms)
    )


class Device:
    """The device's code for one face in slot 0, on this processor."""

    def __init__(self, ahead_ms, device, fused):
        shared = shared_by(device, ahead_ms)
        named = {name: operator(name, "reference")[0] for name in ("heads", "follow")} if fused else {}
        operators = replace(operators_for(shared.mesh), **named)
        self.frame, self.coast = FaceFrame(1, shared, operators), Graph(Coast(1, shared, operators), 1)
        self.ahead, self.memory, self.frame.vector = ahead_ms / 1000, shared.memory, torch.zeros((1, 643))

    def see(self, look, step):
        frame = self.frame
        row.ask(frame.asked.numpy()[0], look.roi, look.camera, 0, (step, step == 0, 0.0, self.ahead), 0.5)
        frame.crops[0], frame.vector[0] = torch.from_numpy(look.crop), torch.from_numpy(look.vector)
        frame.follow()
        self.last = frame.answered.numpy()[0].copy()
        assert row.accepted(self.last)
        return row.face_of(self.last, 0, TrackState.TRACKING)

    def miss(self, camera, step):
        row.miss(self.coast.asked[0], self.last, camera, 0, (step, self.ahead))
        self.coast.run()
        return row.face_of(row.coasted(self.last, self.coast.answered[0]), 0, TrackState.COASTING)


def assert_alike(found, wanted):
    """To float32, but that a base lags by 0.01 mm on the processor; the filters take doubles that round alike."""
    assert (found.state, found.confidence) == (wanted.state, pytest.approx(wanted.confidence, abs=3e-3))
    np.testing.assert_allclose(found.landmarks_px, wanted.landmarks_px, atol=0.06)
    np.testing.assert_allclose(found.blendshapes, wanted.blendshapes, atol=1e-5)
    np.testing.assert_allclose(found.blendshapes_raw, wanted.blendshapes_raw, atol=1e-5)
    np.testing.assert_allclose(found.rotation, wanted.rotation, atol=1e-5)
    np.testing.assert_allclose(found.rotation_raw, wanted.rotation_raw, atol=1e-5)
    np.testing.assert_allclose(found.translation_mm, wanted.translation_mm, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(found.translation_raw_mm, wanted.translation_raw_mm, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(found.identity, wanted.identity, atol=1e-5)
    np.testing.assert_allclose(found.gaze, wanted.gaze, atol=1e-5)
    np.testing.assert_allclose(found.lighting, wanted.lighting, atol=5e-3)
    np.testing.assert_allclose(found.region_confidence, wanted.region_confidence, atol=5e-3)
    for name in ("expression", "identity", "rotation_rad", "translation_mm", "landmarks_px"):
        np.testing.assert_allclose(getattr(found.deviation, name), getattr(wanted.deviation, name), rtol=1e-4)


def walking(looks):
    """The same looks of somebody who walks to the right, four pixels a frame."""
    return [replace(look, roi=replace(look.roi, x_px=look.roi.x_px + 4 * number)) for number, look in enumerate(looks)]


@pytest.mark.parametrize("ahead_ms,fused", [(0.0, False), (40.0, False), (0.0, True)])
def test_what_is_expected_is_what_the_processor_expects(looks, here, ahead_ms, fused):
    stages, device, last = Stages(ahead_ms), Device(ahead_ms, here, fused), None
    for look in walking(looks)[:LOOKS]:
        found, wanted = device.see(look, 0.0 if last is None else look.seconds - last), stages.see(look)
        assert_alike(found, wanted)
        last = look.seconds
    seen, camera, spreads, moved = found, look.camera, [], []
    for number in range(MISSED):
        step = 1 / 30 if number != 3 else 0.0  # a stamp that repeats holds it
        last += step
        found, wanted = device.miss(camera, step), stages.miss(camera, last)
        assert_alike(found, wanted)
        assert found.confidence == 0 and not found.region_confidence.any()
        spreads.append(found.deviation.rotation_rad)
        moved.append((found.landmarks_px - seen.landmarks_px)[:, 0].mean())
    assert all(np.diff(spreads)[[0, 1, 3, 4, 5, 6, 7]] > 0) and spreads[3] == spreads[2], "ever less sure"
    assert moved[-1] > 4, "pixels: on to the right"
    again = replace(walking(looks)[LOOKS], seconds=last + 1 / 30)
    assert_alike(device.see(again, 1 / 30), stages.see(again))


def test_nobody_is_carried_on_in_nobodys_slot(here):
    """A graph warms up on such a row; whoever is in a slot does not notice."""
    shared = shared_by(here)
    shared.memory.smoothing[0] = 7.0
    graph = Graph(Coast(1, shared), 1)
    graph.run()
    assert np.isfinite(graph.answered).all()
    assert (shared.memory.smoothing[0] == 7.0).all() and shared.memory.smoothing[1].count_nonzero() <= 2


@pytest.mark.parametrize("fused", [True, False])
def test_the_run_asks_for_no_value(monkeypatch, fused):
    """As `test_face_frame` has it, on tensors that hold nothing: a CUDA graph could not wait for one."""
    monkeypatch.setattr(follow, "require", lambda *_, **__: None)
    monkeypatch.setattr(follow, "on_device", lambda _: True)
    nowhere = torch.device("meta")
    kernels = dict.fromkeys(("heads", "follow", *ROWS), lambda *_: None) | ({} if fused else {"follow": None})
    frame = Coast(2, shared_by(nowhere), Operators(**kernels, backends={}))
    frame.run()
    assert frame.answered.device == nowhere and frame.answered.shape == (2, row.EXPECTED_WIDTH)
