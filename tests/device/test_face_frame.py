"""A frame against the processor's stages, from the same vectors; batches, memory, and what a graph could not hold."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tracker.device import plain, row  # noqa: E402
from tracker.device.face_frame import FaceFrame, shared_on  # noqa: E402
from tracker.device.network import Student  # noqa: E402
from tracker.device.operators import ROWS, Operators, least_squares, operators_for  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402
from tracker.kernels import follow, gauss_newton, heads  # noqa: E402
from tracker.kernels.backend import choose, operator  # noqa: E402
from tracker.refine.fit import Refiner  # noqa: E402
from tracker.refine.resembler import Resembler  # noqa: E402
from tracker.refine.sharpen import RefineSettings  # noqa: E402
from tracker.regress.outputs import SLICES, WIDTH  # noqa: E402
from tracker.regress.regressor import Guess, _presence  # noqa: E402
from tracker.smooth import Smoother, SmoothSettings  # noqa: E402
from tracker.smooth.estimate import Estimator  # noqa: E402

SLOTS = 2


class Stages:
    """The processor's, for one face."""

    def __init__(self, steps: int, ahead_ms: float) -> None:
        model, kernels = FaceModel.load(), choose()
        self.refiner = Refiner(1, model, kernels.locate)
        self.resembler = Resembler(1, model, kernels.resemble, RefineSettings(steps))
        self.smoother = Smoother(SmoothSettings(ahead_ms=ahead_ms), kernels.imm)
        self.estimator = Estimator(model, kernels.morph, kernels.project, kernels.portray)

    def __call__(self, look):
        guess = Guess(look.roi, look.crop, look.vector, _presence(look.vector))
        fit = self.resembler(guess, self.refiner(guess, 0, 0), 0)
        (filtered,) = self.smoother([fit], look.seconds)
        identity, lighting = self.resembler.identity_of(0), self.resembler.lighting_of(0)
        return self.estimator(fit, filtered, identity, look.camera, lighting)


@pytest.fixture
def shared(here):
    return lambda steps=1, ahead_ms=0.0: shared_on(
        here, SLOTS, FaceModel.load(), Student(), RefineSettings(steps), SmoothSettings(ahead_ms=ahead_ms)
    )  # fmt: skip


def ask(frame, place, look, slot, last, presence=0.5, ahead_ms=0.0):
    """One row, and the vector beside it."""
    step = 0.0 if last is None else look.seconds - last
    times = (step, last is None, 0.0, ahead_ms / 1000)
    row.ask(frame.asked.numpy()[place], look.roi, look.camera, slot, times, presence)
    frame.crops[place] = torch.from_numpy(look.crop)
    frame.vector[place] = torch.from_numpy(look.vector)


def made(batch, shared):
    frame = FaceFrame(batch, shared)
    frame.vector = torch.zeros((batch, 643))
    for one in frame.asked.numpy():
        row.leave_empty(one, SLOTS)
    return frame


@pytest.mark.parametrize("steps,ahead_ms", [(0, 40.0), (1, 0.0), (2, 0.0)])
def test_every_number_is_that_of_the_processors_stages(looks, shared, steps, ahead_ms):
    """Given one vector: to float32, but that a base lags by 0.01 mm there, and bytes of the halved crop may differ.
    A tenth of a millimetre is of some 320."""
    frame, stages, last = made(1, shared(steps, ahead_ms)), Stages(steps, ahead_ms), None
    for look in looks:
        wanted = stages(look)
        ask(frame, 0, look, 0, last, ahead_ms=ahead_ms)
        frame.follow()
        answer = frame.answered.numpy()[0]
        assert row.accepted(answer)
        found, last = row.face_of(answer, 0, wanted.state), look.seconds
        np.testing.assert_allclose(found.landmarks_px, wanted.landmarks_px, atol=0.06)
        np.testing.assert_allclose(found.blendshapes, wanted.blendshapes, atol=2e-3)
        np.testing.assert_allclose(found.blendshapes_raw, wanted.blendshapes_raw, atol=2e-3)
        np.testing.assert_allclose(found.rotation, wanted.rotation, atol=5e-4)
        np.testing.assert_allclose(found.rotation_raw, wanted.rotation_raw, atol=5e-4)
        np.testing.assert_allclose(found.translation_mm, wanted.translation_mm, atol=0.1)
        np.testing.assert_allclose(found.translation_raw_mm, wanted.translation_raw_mm, atol=0.1)
        np.testing.assert_allclose(found.identity, wanted.identity, atol=1e-5)
        np.testing.assert_allclose(found.gaze, wanted.gaze, atol=1e-4)
        np.testing.assert_allclose(found.lighting, wanted.lighting, atol=5e-3)
        np.testing.assert_allclose(found.region_confidence, wanted.region_confidence, atol=5e-3)
        assert found.confidence == pytest.approx(wanted.confidence, abs=3e-3)
        for name in ("expression", "identity", "rotation_rad", "translation_mm", "landmarks_px"):
            ours, theirs = getattr(found.deviation, name), getattr(wanted.deviation, name)
            # Without a step every input is the same; with it the filters take slightly other shapes for motion.
            np.testing.assert_allclose(ours, theirs, rtol=3e-3 if steps else 1e-6)


def test_a_face_in_a_batch_is_the_face_alone(looks, shared):
    """Two faces at different places of a batch of four, beside empty ones, whose looks take turns."""
    alone, together, last = [made(1, shared()) for _ in range(2)], made(4, shared()), None
    for number, look in enumerate(looks[:6]):
        others = (look, looks[10 + number])
        for slot, one in enumerate(others):
            ask(alone[slot], 0, one, slot, last)
            ask(together, 2 * slot, one, slot, last)
            alone[slot].follow()
        together.follow()
        answers, last = together.answered.numpy(), look.seconds
        for slot in range(2):
            np.testing.assert_allclose(answers[2 * slot], alone[slot].answered.numpy()[0], atol=2e-3, rtol=1e-4)
        assert not row.accepted(answers[1]) and not row.accepted(answers[3])


def test_the_fused_stretches_are_what_torch_does(looks, shared):
    """By the references of their contracts, since their own code needs a device or its stand-in (`tests/kernels`)."""
    fused = {row: operator(row, "reference")[0] for row in ("heads", "follow")}
    parts, others = shared(), shared()
    frames, last = [FaceFrame(2, parts), FaceFrame(2, others, replace(operators_for(others.mesh), **fused))], None
    for look in looks[:4]:
        for frame in frames:
            frame.vector = torch.zeros((2, 643))
            for slot in range(2):
                ask(frame, slot, look, slot, last)
            frame.follow()
        last = look.seconds
        np.testing.assert_allclose(frames[1].answered, frames[0].answered, rtol=1e-5, atol=2e-4)
    assert frames[0].answered.numpy()[:, row.ANSWERED["accepted"]].all()


def test_what_is_not_accepted_leaves_no_trace(looks, shared):
    parts = shared()
    frame = made(1, parts)
    ask(frame, 0, looks[0], 1, None)
    frame.follow()
    before = [getattr(parts.memory, name)[:SLOTS].clone() for name in type(parts.memory).__slots__]
    ask(frame, 0, looks[1], 1, looks[0].seconds, presence=row.NEVER)
    frame.follow()
    assert not row.accepted(frame.answered.numpy()[0])
    for name, old in zip(type(parts.memory).__slots__, before, strict=True):
        assert torch.equal(getattr(parts.memory, name)[:SLOTS], old), name


def test_what_is_no_face_and_no_number_disturbs_nobody(looks, shared):
    """Beside a face: a vector of NaN, and one that puts a head as large as a house elsewhere."""
    alone, crowd = made(1, shared()), made(4, shared())
    for frame in (alone, crowd):
        ask(frame, 0, looks[0], 0, None)
    for place in (1, 2):
        ask(crowd, place, looks[0], 1, None)
    crowd.vector[1] = torch.nan
    crowd.vector[2] = 1e6
    alone.follow()
    crowd.follow()
    np.testing.assert_allclose(crowd.answered[0], alone.answered[0], atol=2e-3, rtol=1e-4)
    assert [row.accepted(one) for one in crowd.answered.numpy()] == [True, False, False, False]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_number_that_is_none_is_no_face_and_leaves_no_trace(looks, shared, bad, fused):
    """In every block of the vector, one after the other: whatever remembered one would never be rid of it."""
    parts = shared()
    kernels = {row: operator(row, "reference")[0] for row in ("heads", "follow")} if fused else {}
    frame = FaceFrame(1, parts, replace(operators_for(parts.mesh), **kernels))
    frame.vector = torch.zeros((1, WIDTH))
    ask(frame, 0, looks[0], 1, None)
    frame.follow()
    before = [getattr(parts.memory, name)[:SLOTS].clone() for name in type(parts.memory).__slots__]
    for block, place in SLICES.items():
        ask(frame, 0, looks[1], 1, looks[0].seconds)
        frame.vector[0, place.stop - 1] = bad
        with np.errstate(invalid="ignore"):
            frame.follow()
        assert not row.accepted(frame.answered.numpy()[0]), block
        for name, old in zip(type(parts.memory).__slots__, before, strict=True):
            assert torch.equal(getattr(parts.memory, name)[:SLOTS], old), (block, name)
    ask(frame, 0, looks[1], 1, looks[0].seconds)
    frame.follow()
    assert row.accepted(frame.answered.numpy()[0]) and frame.answered.isfinite().all()


def test_a_new_face_in_a_slot_starts_as_new(looks, shared):
    first, second = made(1, shared()), made(1, shared())
    ask(second, 0, looks[10], 0, None)
    second.follow()
    for frame in (first, second):
        ask(frame, 0, looks[0], 0, None)
        frame.follow()
    np.testing.assert_array_equal(first.answered, second.answered)


@pytest.mark.parametrize("fused", [True, False])
def test_the_run_asks_for_no_value_and_stays_where_it_is(monkeypatch, fused):
    """On tensors that hold nothing: what reads a value, has a shape that depends on one, or mixes in what lies on the
    processor fails there, and would in a CUDA graph. Kernels are left out, since those take addresses."""
    for module in (gauss_newton, heads, follow):
        monkeypatch.setattr(module, "require", lambda *_, **__: None)
        monkeypatch.setattr(module, "on_device", lambda _: True)
    nowhere = torch.device("meta")
    shared = shared_on(
        nowhere, SLOTS, FaceModel.load(), Student().to(nowhere), RefineSettings(2), SmoothSettings()
    )  # fmt: skip
    kernels = dict.fromkeys(("heads", "follow", *ROWS), lambda *_: None)
    if not fused:
        kernels |= {"heads": None, "follow": None, "morph": plain.morph, "project": plain.project,
                    "halve": plain.halve, "linearize": plain.Linearize(shared.mesh.guides),
                    "relight": plain.Relight(least_squares(kernels["gauss_newton"]))}  # fmt: skip
    frame = FaceFrame(2, shared, Operators(**kernels, backends={}))
    frame.run()
    assert frame.answered.device == frame.vector.device == nowhere
    assert frame.answered.shape == (2, row.ANSWERED_WIDTH)


def test_the_run_never_moves_its_buffers(looks, shared):
    frame = made(1, shared())
    addresses = frame.answered.data_ptr(), frame.crops.data_ptr(), frame.asked.data_ptr()
    for number, look in enumerate(looks[:2]):
        ask(frame, 0, look, 0, None if not number else looks[0].seconds)
        frame.follow()
    assert addresses == (frame.answered.data_ptr(), frame.crops.data_ptr(), frame.asked.data_ptr())
