"""Render and compare: what is covered loses confidence, what is not keeps it; the light is where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import av
import numpy as np
import pytest

from tracker import REGIONS, Tracker
from tracker.bench.covered import cover
from tracker.detect.roi import Roi
from tracker.face.model import FaceModel
from tracker.kernels.backend import choose
from tracker.refine.compare import BEFORE_PX, borne_out
from tracker.refine.fit import Refiner
from tracker.refine.resembler import Resembler
from tracker.refine.sharpen import RefineSettings
from tracker.regress.outputs import CROP_PX, ROI_CENTRE_MM, ROI_SIDE_MM, SLICES, WIDTH
from tracker.regress.regressor import Guess

CLEAR_FRAMES, COVERED_FRAMES = 20, 6


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    with av.open(str(files("tracker.assets").joinpath("demo.mp4"))) as container:
        pictures: Iterator[av.VideoFrame] = container.decode(video=0)
        return [next(pictures).to_ndarray(format="rgb24") for _ in range(CLEAR_FRAMES + COVERED_FRAMES)]


@pytest.mark.parametrize("kind", ["blue", "noise", "white"])
@pytest.mark.parametrize("region", ["mouth", "eyes"])
def test_a_box_lowers_the_confidence_of_what_it_covers_alone(
    frames: list[np.ndarray], region: str, kind: str
) -> None:  # fmt: skip
    tracker, clear = Tracker(smooth=False), []
    for k, frame in enumerate(frames[:CLEAR_FRAMES]):
        clear += tracker.track(frame, k / 30)
    for k, frame in enumerate(frames[CLEAR_FRAMES:], CLEAR_FRAMES):
        (face,) = tracker.track(cover(frame, clear[-1], region, kind, FaceModel.load()), k / 30)
    before = np.mean([seen.region_confidence for seen in clear[-5:]], axis=0)
    share = dict(zip(REGIONS, face.region_confidence / before, strict=True))
    assert share.pop(region) < 0.2
    # The network too is a little less sure of the rest of a covered face; brows and eyes share some skin besides.
    assert min(share.values()) > 0.55, share


def test_a_clear_face_keeps_what_the_network_says(frames: list[np.ndarray]) -> None:
    tracker = Tracker(smooth=False)
    for k, frame in enumerate(frames):
        (face,) = tracker.track(frame, k / 30)
    assert face.region_confidence.min() > 0.5


def test_pixels_vouch_for_what_the_network_doubts_and_overrule_what_it_believes() -> None:
    said, shown = np.array([0.25, 0.25, 0.9, 0.9, 0.9]), np.array([1.0, 0.0, 1.0, 0.5, 0.0])
    found = borne_out(said, shown)
    np.testing.assert_allclose(found[:3], [0.5, 0.0, 0.9**0.5])
    assert found[4] == 0 and 0.9 * 0.5 < found[3] < 0.5


def a_look(crop: np.ndarray, presence: float = 1.0) -> Guess:
    """A neutral head straight ahead in the middle of a square of its own size."""
    output = np.zeros(WIDTH, np.float32)
    output[SLICES["rotation"]] = [1, 0, 0, 0, 1, 0]
    for name in SLICES:
        if name.endswith("log_std"):
            output[SLICES[name]] = -4
    return Guess(Roi(64.0, 64.0, 128.0, 0.0), crop, output, presence)


def test_light_from_one_side_is_seen_as_such() -> None:
    model = FaceModel.load()
    resembler = Resembler(1, model, choose().resemble)
    guess = a_look(np.tile(np.linspace(40, 220, CROP_PX, dtype=np.float32), (3, CROP_PX, 1)))
    for _ in range(5):
        resembler(guess, Refiner(1, model)(guess, 0), 0)
    light = resembler.lighting_of(0)
    assert (light[3] > 0.05).all(), "the image's right is brighter: light from +x"
    assert np.isfinite(light).all()


def test_a_new_face_in_the_slot_brings_its_own_light() -> None:
    model = FaceModel.load()
    resembler, refiner = Resembler(1, model, choose().resemble), Refiner(1, model)
    seen = []
    for track_id, grey in ((0, 60.0), (1, 180.0)):
        guess = a_look(np.full((3, CROP_PX, CROP_PX), grey, np.float32))
        resembler(guess, refiner(guess, 0, track_id), 0)
        seen.append(resembler.lighting_of(0)[0].copy())
    assert (seen[1] > 2.5 * seen[0]).all()


def test_what_is_not_plausible_is_left_as_it_is() -> None:
    model = FaceModel.load()
    guess = a_look(np.zeros((3, CROP_PX, CROP_PX), np.float32))
    guess.output[SLICES["guides"]] = 3.0
    fit = Refiner(1, model)(guess, 0)
    assert not fit.plausible
    assert Resembler(1, model, choose().resemble)(guess, fit, 0) is fit


def test_the_crop_sees_the_head_where_the_square_lies() -> None:
    roi, model = Roi(300.0, 200.0, ROI_SIDE_MM, 0.5), FaceModel.load()
    guess = Guess(roi, np.zeros((3, CROP_PX, CROP_PX), np.float32), a_look(np.zeros(0)).output, 1.0)
    resembler = Resembler(1, model, choose().resemble, RefineSettings(0))
    resembler(guess, Refiner(1, model)(guess, 0), 0)
    wanted = (model.mean_mm - [0, ROI_CENTRE_MM[1], 0]) * 64 / ROI_SIDE_MM + [32, 32, BEFORE_PX]
    assert np.allclose(resembler.seen.vertices[0], wanted, atol=1e-4), "upright in the crop"
