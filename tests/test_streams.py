"""Several streams together: for each exactly what its own pipeline finds, on the processor and on the device's code."""

import threading
from dataclasses import replace
from fractions import Fraction
from importlib.resources import files

import numpy as np
import pytest

from tracker.detect.finder import FindSettings
from tracker.errors import SettingsError
from tracker.face.parameters import TrackState
from tracker.pipeline import Pipeline
from tracker.smooth import SmoothSettings
from tracker.source import frame_from_av, frame_from_image
from tracker.streams import Streams

CLIP = str(files("tracker.assets").joinpath("demo.mp4"))
FACES, FOV_DEG = (2, 1, 1), (63.0, 40.0, 90.0)
TOGETHER_SECONDS = 0.015
"""Frames due within so long are handed over together."""


@pytest.fixture(scope="module")
def clips():
    """Two people at 30 frames a second; one, smaller, at 25, who ends early; and one at 10 in NV12, who is
    gone for longer than a face is held and comes back."""
    import av

    with av.open(CLIP) as container:
        pictures = [picture for picture, _ in zip(container.decode(video=0), range(25), strict=False)]
    rgb = [picture.to_ndarray(format="rgb24") for picture in pictures]
    two = [
        frame_from_image(np.concatenate([one, other[:, ::-1]], 1), k / 30)
        for k, (one, other) in enumerate(zip(rgb, rgb[10:], strict=False))
    ]
    small = [frame_from_av(p.reformat(480, 360, "yuv420p"), 0.007 + k / 25) for k, p in enumerate(pictures[5:15])]
    nv12 = [frame_from_av(p.reformat(560, 420, "nv12"), 0.1 * k) for k, p in enumerate(pictures[:3] + pictures[20:24])]
    empty = frame_from_image(np.full((420, 560, 3), 90, np.uint8))
    gone = [replace(empty, pts=round((0.3 + 0.1 * k) * 1e9), time_base=Fraction(1, 10**9)) for k in range(7)]
    back = [replace(frame, pts=frame.pts + round(0.7 * 1e9)) for frame in nv12[3:]]
    return two, small, nv12[:3] + gone + back


def due_together(clips):
    """Frames by stream, in the order of time."""
    waiting = sorted(
        ((frame.pts_seconds, stream, frame) for stream, clip in enumerate(clips) for frame in clip),
        key=lambda one: one[:2],
    )
    while waiting:
        until, due = waiting[0][0] + TOGETHER_SECONDS, {}
        while waiting and waiting[0][0] < until and waiting[0][1] not in due:
            _, stream, frame = waiting.pop(0)
            due[stream] = frame
        yield due


def pipeline_of(stream, device=None, smooth=SmoothSettings()):
    return Pipeline(FindSettings(max_faces=FACES[stream]), smooth, FOV_DEG[stream], device=device)


def pipelines(device=None, smooth=SmoothSettings()):
    return [pipeline_of(stream, device, smooth) for stream in range(len(FACES))]


def walked(streams, clips):
    """Every stream's faces, frame by frame; how many frames were handed over together."""
    found, sizes = [[] for _ in clips], []
    for due in due_together(clips):
        faces = streams.track(due)
        assert list(faces) == list(due)
        sizes.append(len(due))
        for stream, of in faces.items():
            found[stream].append(of)
    return found, sizes


def assert_alike(found, wanted, pixels):
    """Faces of one frame."""
    assert [(face.track_id, face.state) for face in found] == [(face.track_id, face.state) for face in wanted]
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours.landmarks_px, theirs.landmarks_px, atol=pixels)
        np.testing.assert_allclose(ours.blendshapes, theirs.blendshapes, atol=pixels / 10)
        np.testing.assert_allclose(ours.rotation, theirs.rotation, atol=pixels / 10)
        np.testing.assert_allclose(ours.translation_mm, theirs.translation_mm, rtol=pixels / 10)
        np.testing.assert_allclose(ours.identity, theirs.identity, atol=pixels)
        assert ours.confidence == pytest.approx(theirs.confidence, abs=pixels / 10)
        assert ours.deviation.landmarks_px == pytest.approx(theirs.deviation.landmarks_px, rel=pixels / 10)


def assert_these_clips_say_something(found, sizes):
    assert max(sizes) == 3 and min(sizes) == 1
    two, small, lost = found
    assert [face.track_id for face in two[-1]] == [0, 1]
    assert len(small) == 10 and small[-1][0].state == TrackState.TRACKING
    states = [faces[0].state if faces else None for faces in lost]
    assert TrackState.COASTING in states and TrackState.LOST in states and states[-1] == TrackState.TRACKING
    assert lost[-1][0].track_id == 1, "somebody new, as far as one knows"


def test_on_the_processor_every_stream_is_its_own(clips):
    found, sizes = walked(Streams(pipelines()), clips)
    assert_these_clips_say_something(found, sizes)
    for pipeline, clip, of in zip(pipelines(), clips, found, strict=True):
        for frame, faces in zip(clip, of, strict=True):
            assert_alike(faces, pipeline.track(frame), 0.0)


@pytest.fixture
def shared():
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'facewire[gpu]'")
    pytest.importorskip("onnx")
    torch.set_num_threads(1)
    from tracker.device.faces import SharedDevice

    return lambda slots: SharedDevice(torch.device("cpu"), slots)


def counted_graphs(streams):
    """How often each size is replayed from now on."""
    graphs = streams.pipelines[0].device.replays.graphs
    used = {graph.batch: 0 for graph in graphs}
    for graph in graphs:
        graph.run = counted(graph, used)
    return used


def test_on_a_device_they_are_one_batch_and_every_stream_is_its_own(clips, shared):
    """Batches of several sizes round differently, and a thousandth of a pixel may move a triangle's edge."""
    device = shared(sum(FACES))
    streams = Streams(pipelines(device), device)
    used = counted_graphs(streams)
    found, sizes = walked(streams, clips)
    assert_these_clips_say_something(found, sizes)
    assert list(used) == [1, 2, 4] and used[4] >= 4, "two people beside one or two more"
    for number, (clip, of) in enumerate(zip(clips, found, strict=True)):
        pipeline = pipeline_of(number, shared(FACES[number]))
        for frame, faces in zip(clip, of, strict=True):
            assert_alike(faces, pipeline.track(frame), 0.2)


def test_in_one_size_of_batch_it_makes_no_difference_to_a_bit_who_is_beside(clips, shared):
    smooth = SmoothSettings(ahead_ms=30.0)

    def largest_only(pipeline):
        del pipeline.device.replays.graphs[:-1]
        return pipeline

    device = shared(sum(FACES))
    streams = Streams(pipelines(device, smooth), device)
    largest_only(streams.pipelines[0])
    short = [clip[:8] for clip in clips]
    found, sizes = walked(streams, short)
    assert max(sizes) == 3 and all(len(faces) == n for of, n in zip(found, FACES, strict=True) for faces in of[:3])
    for number, (clip, of) in enumerate(zip(short, found, strict=True)):
        pipeline = largest_only(pipeline_of(number, shared(sum(FACES)), smooth))
        for frame, faces in zip(clip, of, strict=True):
            assert_alike(faces, pipeline.track(frame), 0.0)


def counted(graph, used):
    run = graph.run

    def call(fill):
        used[graph.batch] += 1
        run(fill)

    return call


def test_a_frame_time_of_known_faces_is_one_replay(clips, shared):
    device = shared(sum(FACES))
    streams = Streams(pipelines(device), device)
    walked(streams, [clip[:3] for clip in clips])
    used = counted_graphs(streams)
    faces = streams.track({0: clips[0][3], 1: clips[1][3]})
    assert len(faces[0]) == 2 and len(faces[1]) == 1
    assert used == {1: 0, 2: 0, 4: 1}
    from tracker.device.row import ASKED

    rows = streams.pipelines[0].device.replays.graphs[2].asked[:3]
    assert len({*rows[:, ASKED["slot"].start]}) == 3
    assert [round(focal) for focal in rows[:, ASKED["camera"].start]] == [392, 392, 495], "each stream's camera"
    np.testing.assert_allclose(rows[:, ASKED["dt"].start], [1 / 30, 1 / 30, 1 / 25], atol=1e-6)


def test_one_stream_may_begin_anew_beside_the_others(clips, shared):
    device = shared(sum(FACES))
    streams = Streams(pipelines(device), device)
    walked(streams, [clip[:3] for clip in clips])
    streams.pipelines[1].reset()
    larger = frame_from_image(np.ascontiguousarray(clips[0][3].planes[0][:, :640]), 0.1)
    again = streams.track({0: clips[0][3], 1: clips[1][3], 2: larger})
    assert [[face.state for face in again[stream]] for stream in range(3)] == [
        [TrackState.TRACKING] * 2, [TrackState.ACQUIRING], [TrackState.ACQUIRING]
    ]  # fmt: skip
    assert again[2][0].track_id == 1, "another size begins another track"


def test_what_comes_without_time_stands_alone_beside_the_others(clips, shared):
    device = shared(sum(FACES))
    streams = Streams(pipelines(device), device)
    image = replace(clips[1][0], pts=None)
    first = streams.track({0: clips[0][0], 1: image})
    second = streams.track({0: clips[0][1], 1: image})
    assert np.array_equal(first[1][0].landmarks_px, second[1][0].landmarks_px)
    assert second[0][0].state == TrackState.TRACKING


def test_what_does_not_fit_is_refused(clips, shared):
    streams = Streams([pipeline_of(0)])
    with pytest.raises(SettingsError, match="stream 1; there are 0 to 0"):
        streams.track({0: clips[0][0], 1: clips[1][0]})
    assert streams.pipelines[0].finder.tracks == [], "nothing was begun"
    with pytest.raises(SettingsError, match="65 faces in all on one device; give 1 to 64"):
        shared(65)
    with pytest.raises(SettingsError, match="4 faces on a device made for 3"):
        pipelines(shared(3))
    device = shared(2)
    Pipeline(device=device)
    with pytest.raises(SettingsError, match="share model, student, refine and smooth"):
        Pipeline(smooth=SmoothSettings(mouth=2.0), device=device)


def test_they_may_be_handed_over_from_any_thread(clips, shared):
    """Nothing is kept per thread, such as a stream or a mode of torch's."""
    device, found = shared(sum(FACES)), []
    streams = Streams(pipelines(device), device)
    for frame in clips[0][:3]:
        thread = threading.Thread(target=lambda frame=frame: found.append(streams.track({0: frame})))
        thread.start()
        thread.join()
    assert [len(faces[0]) for faces in found] == [2, 2, 2]
