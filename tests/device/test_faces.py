"""The whole pipeline with its faces on the device's code: states, ids and estimates as on the processor; its errors."""

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tracker.detect.finder import FindSettings  # noqa: E402
from tracker.device import faces as device_faces  # noqa: E402
from tracker.device.faces import on_processor  # noqa: E402
from tracker.device.graph import sizes_for  # noqa: E402
from tracker.device.row import ASKED, MISSED  # noqa: E402
from tracker.errors import AssetError, BackendUnavailable  # noqa: E402
from tracker.face.model import FaceModel  # noqa: E402
from tracker.face.parameters import TrackState  # noqa: E402
from tracker.kernels.backend import choose  # noqa: E402
from tracker.pipeline import Pipeline, build_pipeline  # noqa: E402
from tracker.smooth import SmoothSettings  # noqa: E402
from tracker.source import frame_from_image, open_source  # noqa: E402

CLIP = str(files("tracker.assets").joinpath("demo.mp4"))


@pytest.fixture(scope="module")
def pictures():
    """Some of the clip, from where the face leaves the picture to where it is back, and the first frames."""
    with open_source(CLIP) as source:
        frames = list(source)
    return frames[:6], frames[156:214]


def walk(pipeline, frames):
    return [pipeline.track(frame) for frame in frames]


def test_a_face_that_leaves_and_comes_back_is_tracked_as_on_the_processor(pictures):
    wanted, found = walk(build_pipeline(), pictures[1]), walk(Pipeline(device=on_processor), pictures[1])
    states, ours = ([[(face.track_id, face.state) for face in faces] for faces in seen] for seen in (wanted, found))
    # A face on its way out is near the threshold, where a thousandth decides.
    assert sum(one != other for one, other in zip(states, ours, strict=True)) <= 3
    for seen in (states, ours):
        assert {state for faces in seen for _, state in faces} >= {TrackState.TRACKING, TrackState.COASTING}
        assert seen[-1] and seen[-1][0][1] == TrackState.TRACKING
    pairs = [(one[0], other[0]) for one, other in zip(wanted, found, strict=True) if one and other]
    pairs = [(one, other) for one, other in pairs if one.confidence > 0.5 and other.confidence > 0.5]
    assert len(pairs) > 10
    apart = [np.abs(one.landmarks_px - other.landmarks_px).mean() for one, other in pairs]
    assert np.median(apart) < 1.0, "pixels, of a head of 200"
    faces = ([seen[0] for seen in run if seen] for run in (wanted, found))
    unseen = [[face for face in run if face.state == TrackState.COASTING] for run in faces]
    for one in unseen:
        deviation = [face.deviation.landmarks_px for face in one]
        assert len(one) > 5 and all(np.diff(deviation[:5]) > 0) and deviation[-1] > 2 * deviation[0], "ever less sure"
        assert not any(face.confidence or face.region_confidence.any() for face in one)
        went = one[4].landmarks_px[:, 0].mean() - one[0].landmarks_px[:, 0].mean()
        assert abs(went) > 1, "it goes on as it went"


def test_after_a_moment_unseen_the_clock_goes_on(pictures):
    """The step to the next look is from where the filters have got to; what is anew is told by the last look."""
    pipeline = Pipeline(device=on_processor)
    walk(pipeline, pictures[0][:3])
    faces, (track,), last = pipeline.device, pipeline.finder.tracks, pictures[0][2].pts_seconds
    camera, gap = pipeline.camera_for(pictures[0][2]), SmoothSettings().gap_seconds
    for later in (0.03, 0.06, 0.05):  # one that goes back holds it
        face = faces.coast(track, camera, last + later)
    assert face.confidence == 0 and faces.replays.coast.asked[0, MISSED["dt"]] == 0
    assert faces._step(track.track_id, last + 0.1) == (pytest.approx(0.04), False)
    assert faces._step(track.track_id, last + 0.01) == (0.0, True)
    assert faces._step(track.track_id, last + gap + 0.1)[1]
    assert np.isfinite(face.landmarks_px).all()


def test_a_face_found_elsewhere_starts_anew(pictures):
    pipeline = Pipeline(device=on_processor)
    walk(pipeline, pictures[0][:3])
    faces, (track,), last = pipeline.device, pipeline.finder.tracks, pictures[0][2].pts_seconds
    later = replace(pictures[0][2], pts=pictures[0][2].pts + 1)
    camera = pipeline.camera_for(later)
    here = faces.ask(later, [track], camera, 0.5).rows[0].copy()
    track.roi = replace(track.roi, x_px=track.roi.x_px + track.roi.side_px)
    there = faces.ask(later, [track], camera, 0.5).rows[0]
    assert later.pts_seconds > last and (here[ASKED["anew"]] <= 0).all() and (there[ASKED["anew"]] > 0).all()


def test_without_smoothing_the_last_estimate_is_held(pictures):
    pipeline = Pipeline(smooth=SmoothSettings(enabled=False), device=on_processor)
    (face,) = walk(pipeline, pictures[0][:3])[-1]
    later = pictures[0][2].pts_seconds + 0.1
    held = pipeline.device.coast(pipeline.finder.tracks[0], pipeline.camera_for(pictures[0][2]), later)
    np.testing.assert_allclose(held.landmarks_px, face.landmarks_px, atol=1e-3)
    assert np.array_equal(held.blendshapes, face.blendshapes) and held.confidence == 0


def test_estimates_are_the_holders_own(pictures):
    pipeline = Pipeline(device=on_processor)
    (first,), (second,) = walk(pipeline, pictures[0][:2])
    kept = first.landmarks_px.copy(), first.blendshapes.copy()
    walk(pipeline, pictures[0][2:])
    assert np.array_equal(first.landmarks_px, kept[0]) and np.array_equal(first.blendshapes, kept[1])
    assert not np.array_equal(first.landmarks_px, second.landmarks_px)


def test_a_face_that_only_the_host_sees_is_not_published(pictures):
    pipeline = Pipeline(device=on_processor)
    (graph,) = pipeline.device.replays.graphs
    looks, graph.run = [], lambda crop: looks.append(graph.asked.copy())
    assert walk(pipeline, pictures[0][:2]) == [(), ()]
    assert len(looks) == 1, "what was no face is not proposed again at once"


def test_two_people_keep_their_ids(pictures):
    pipeline, seen = Pipeline(FindSettings(max_faces=2), device=on_processor), []
    assert [graph.batch for graph in pipeline.device.replays.graphs] == [1, 2]
    for number, frame in enumerate(pictures[0]):
        rgb = np.repeat(frame.planes[0][..., None], 3, 2)
        seen.append(pipeline.track(frame_from_image(np.concatenate([rgb, rgb[:, ::-1]], 1), number / 30)))
    assert [face.track_id for face in seen[-1]] == [0, 1]
    left, right = (face.landmarks_px[:, 0].mean() for face in seen[-1])
    assert abs(left - right) > 300


def test_images_stand_alone(pictures):
    pipeline = Pipeline(device=on_processor)
    image = np.repeat(pictures[0][0].planes[0][..., None], 3, 2)
    first, again = (pipeline.track(frame_from_image(image)) for _ in range(2))
    assert np.array_equal(first[0].landmarks_px, again[0].landmarks_px)
    assert np.array_equal(first[0].blendshapes, first[0].blendshapes_raw)


def test_it_looks_as_far_ahead_as_the_processor(pictures):
    """Not in a frame without time, nor without smoothing, where nothing is known of what comes."""
    pipeline = Pipeline(smooth=SmoothSettings(ahead_ms=40.0), device=on_processor)
    asked = pipeline.device.replays.graphs[0].asked[0, ASKED["ahead"]]
    walk(pipeline, pictures[0][:2])
    assert asked == 0.04 and pipeline.ahead_ns == 40_000_000
    pipeline.track(frame_from_image(np.repeat(pictures[0][0].planes[0][..., None], 3, 2)))
    assert asked == 0.0


def test_without_smoothing_raw_is_what_is_published(pictures):
    pipeline = Pipeline(smooth=SmoothSettings(enabled=False), device=on_processor)
    face = walk(pipeline, pictures[0])[-1][0]
    np.testing.assert_allclose(face.rotation, face.rotation_raw, atol=1e-6)
    assert np.array_equal(face.blendshapes, face.blendshapes_raw)


def test_another_versions_student_is_refused(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    node = helper.make_node("Flatten", ["x"], ["y"])
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [1, 3]), ("y", [1, 3]))
    ]
    onnx.save(helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:])), str(tmp_path / "other.onnx"))
    parts = {"slots": 1, "model": FaceModel.load(), "crop_roi": choose().crop_roi}
    with pytest.raises(AssetError, match="gives 3 numbers, not 643"):
        on_processor(**parts, student=tmp_path / "other.onnx")


@pytest.mark.parametrize("raised", [
    RuntimeError("Failed to find C compiler.\nPlease specify"), PermissionError(13, "Permission denied", "/.triton"),
    torch.OutOfMemoryError("CUDA out of memory. " + 500 * "x"),
])  # fmt: skip
def test_what_keeps_a_device_from_starting_is_one_line(raised, monkeypatch):
    """No compiler, a cache that cannot be written, too little memory: each library has its own exceptions."""

    def fails(*_, **__):
        raise raised

    monkeypatch.setattr(device_faces, "Replays", fails)
    with pytest.raises(BackendUnavailable) as caught:
        Pipeline(device=device_faces.SharedDevice(torch.device("cuda", 0), 1))
    told, first = str(caught.value), str(raised).partition("\n")[0][:200]
    assert told.startswith(f"device cuda: {type(raised).__name__}: {first}") and len(told) < 500
    assert "facewire doctor" in told and "--device" in told and "\n" not in told


def test_it_is_made_the_same_whatever_torch_does_by_default(pictures):
    """A program that tracks may do other things with torch: on a device by default, in another precision, without
    gradients."""
    wanted = walk(Pipeline(device=on_processor), pictures[0][:3])
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode():
            pipeline = Pipeline(device=on_processor)
        torch.set_default_device(None)
        found = walk(pipeline, pictures[0][:3])
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    for (one,), (other,) in zip(wanted, found, strict=True):
        assert np.array_equal(one.landmarks_px, other.landmarks_px)


def test_a_graph_is_captured_in_its_own_precision(monkeypatch):
    """A graph captured while the caller has torch cast would go on in that precision for good."""
    seen = []
    monkeypatch.setattr(device_faces, "Replays", lambda *_, **__: seen.append(torch.is_autocast_enabled("cpu")))
    with torch.autocast("cpu", torch.bfloat16):
        Pipeline(device=on_processor)
        assert torch.is_autocast_enabled("cpu")
    assert seen == [False]


def test_graphs_are_there_for_every_number_of_faces():
    assert sizes_for(1) == (1,) and sizes_for(5) == (1, 2, 4, 8) and sizes_for(64)[-1] == 64
