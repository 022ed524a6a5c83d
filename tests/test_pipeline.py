"""The whole way, on the bundled clip and on pictures made here: what comes out, when, and what it costs in memory."""

import gc
import subprocess
import sys
import tracemalloc
from importlib.resources import files

import numpy as np
import pytest

import tracker
from tracker.errors import SettingsError, SourceError
from tracker.face.expression import ARKIT_INDEX
from tracker.face.parameters import TrackState
from tracker.face.topology import LEFT_EYE_RING, RIGHT_EYE_RING
from tracker.pipeline import STAGES, BrokenOff, Stopped, build_pipeline, run
from tracker.regress.outputs import SLICES
from tracker.source import frame_from_image, open_source

CLIP = str(files("tracker.assets").joinpath("demo.mp4"))


@pytest.fixture(scope="module")
def rgb():
    """The bundled clip as RGB pictures."""
    import av

    with av.open(CLIP) as container:
        return [np.ascontiguousarray(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


@pytest.fixture(scope="module")
def walked():
    """Per frame of the bundled clip: the faces."""
    pipeline = build_pipeline()
    with open_source(CLIP) as source:
        return [pipeline.track(frame) for frame in source]


def _shape(walked, name):
    return np.array([faces[0].blendshapes_raw[ARKIT_INDEX[name]] if faces else np.nan for faces in walked])


def test_the_face_is_tracked_and_let_go_when_it_leaves(walked):
    states = [faces[0].state if faces else None for faces in walked]
    assert states[0] == TrackState.ACQUIRING and states[5] == TrackState.TRACKING
    assert sum(s == TrackState.TRACKING for s in states[:160]) >= 155
    away = states[170:195]
    assert any(s != TrackState.TRACKING for s in away), "the face is out of the picture"
    assert states[-1] == TrackState.TRACKING, "and comes back"


def test_shapes_follow_the_performance(walked):
    early = _shape(walked, "jawOpen")[:160]
    assert np.nanmax(early) > np.nanmedian(early) + 0.2, "the mouth opens in the clip"
    blink = _shape(walked, "eyeBlinkLeft")[:160]
    assert np.nanmax(blink) > np.nanmedian(blink) + 0.2, "the eyes close in the clip"
    smile = _shape(walked, "mouthSmileLeft")[:160]
    assert np.nanmax(smile) > np.nanmedian(smile) + 0.2


def test_geometry_holds_together(walked):
    face = walked[10][0]
    rotation = face.rotation.astype(np.float64)
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4) and np.linalg.det(rotation) > 0
    assert 200 < face.translation_mm[2] < 3000, "a head fills no webcam's picture from nearer or farther"
    x, y = face.landmarks_px[:, 0], face.landmarks_px[:, 1]
    assert (x > 150).all() and (x < 500).all() and (y > 50).all() and (y < 400).all()
    left, right = (face.landmarks_px[list(r), 0].mean() for r in (LEFT_EYE_RING, RIGHT_EYE_RING))
    assert left > right, "the subject's left eye is on the picture's right"
    assert np.allclose(np.linalg.norm(face.gaze, axis=1), 1, atol=1e-4) and (face.gaze[:, 2] < 0).all()
    assert face.lighting.any() and 0 < face.confidence <= 1 and (face.region_confidence > 0).all()


def test_smoothing_is_steadier_and_can_be_switched_off(rgb):
    def steps(smooth):
        made = tracker.Tracker(smooth=smooth)
        points = [made.track(picture, k / 30)[0].landmarks_px[:, :2] for k, picture in enumerate(rgb[:12])]
        return np.linalg.norm(np.diff(points, axis=0), axis=2).mean()

    assert steps(True) < steps(False)
    made = tracker.Tracker(smooth=False)
    made.track(rgb[0], 0.0)
    face = made.track(rgb[1], 1 / 30)[0]
    assert np.array_equal(face.blendshapes, face.blendshapes_raw)
    assert np.allclose(face.translation_mm, face.translation_raw_mm, rtol=1e-4)


def test_an_image_without_time_stands_alone(rgb):
    made = tracker.Tracker(max_faces=3)
    two = np.concatenate([rgb[0], rgb[0][::2, ::2].repeat(2, 0)[:, :320].copy()], axis=1)
    first = made.track(two)
    made.track(rgb[40])
    again = made.track(two)
    assert [f.track_id for f in first] == list(range(len(first))) and first
    assert all(f.state == TrackState.TRACKING for f in first)
    assert np.array_equal(first[0].landmarks_px, again[0].landmarks_px), "what came between changes nothing"
    heights = [np.ptp(f.landmarks_px[:, 1]) for f in first]
    assert heights == sorted(heights, reverse=True)


def test_two_people_keep_their_ids(rgb):
    made = tracker.Tracker(max_faces=2)
    pairs = [np.concatenate([a, b], axis=1) for a, b in zip(rgb[:25], rgb[60:85], strict=True)]
    seen = [made.track(picture, k / 30) for k, picture in enumerate(pairs)]
    assert len(seen[-1]) == 2
    left = {min(faces, key=lambda f: f.landmarks_px[0, 0]).track_id for faces in seen[12:]}
    assert len(left) == 1


def test_a_track_that_ends_in_another_says_so(rgb):
    """A head that goes before another is one face for a while: the younger track's last message is `lost`."""
    made, half = tracker.Tracker(max_faces=2), rgb[0][::2, ::2][20:220, 90:230]
    told = []
    for k in range(24):
        picture = np.full((260, 640, 3), 100, np.uint8)
        for x in (250 - 5 * k, 400 - 15 * k):
            picture[30:230, max(x, 10) : max(x, 10) + 140] = half
        told.append({face.track_id: face for face in made.track(picture, k / 30)})
    (last,) = {k for k, faces in enumerate(told) if 1 in faces and 1 not in told[min(k + 1, 23)]}
    face, before = told[last][1], told[last - 1][1]
    assert face.state == TrackState.LOST and before.state == TrackState.TRACKING
    assert face.confidence == 0 and 0 in told[-1], "it is no face of its own any more"


def test_rgb_and_yuv_of_one_picture_agree(rgb):
    import av

    with av.open(CLIP) as container:
        picture = next(container.decode(video=0))
        from_planes = tracker.Tracker().track(picture)[0]
    from_rgb = tracker.Tracker().track(rgb[0])[0]
    assert np.abs(from_planes.landmarks_px - from_rgb.landmarks_px).mean() < 1.5


def test_a_copy_is_safe_to_keep(rgb):
    made = tracker.Tracker()
    face = made.track(rgb[0], 0.0)[0]
    kept = face.landmarks_px.copy(), face.blendshapes.copy(), face.identity.copy()
    for k in range(1, 6):
        made.track(rgb[30 + k], k / 30)
    assert all(
        np.array_equal(a, b) for a, b in zip(kept, (face.landmarks_px, face.blendshapes, face.identity), strict=True)
    )


def test_a_change_of_size_starts_anew(rgb):
    made = tracker.Tracker()
    made.track(rgb[0], 0.0)
    small = np.ascontiguousarray(rgb[1][::2, ::2])
    (face,) = made.track(small, 1 / 30)
    assert face.landmarks_px[:, 0].max() < small.shape[1]
    (back,) = made.track(rgb[2], 2 / 30)
    assert (face.track_id, back.track_id) == (1, 2), "an id is not used twice in a stream"
    made.reset()
    assert made.track(small, 0.0)[0].track_id == 0


def test_a_track_that_lasted_one_frame_leaves_nothing_behind(rgb):
    pipeline = build_pipeline()
    grey = np.full_like(rgb[0], 128)
    for k in range(6):  # a face for one frame, then none: six tracks that never got beyond acquiring
        assert len(pipeline.track(frame_from_image(rgb[0], k * 0.2))) == 1
        assert pipeline.track(frame_from_image(grey, k * 0.2 + 0.1)) == ()
    assert not pipeline._faces and not pipeline.smoother._tracks


def test_stages_are_timed_from_outside(rgb):
    pipeline = build_pipeline()
    pipeline.track(frame_from_image(rgb[0], 0.0))
    assert set(pipeline.stage_ns) == set(STAGES) and all(pipeline.stage_ns[s] > 0 for s in STAGES)


def test_after_warm_up_the_loop_allocates_no_arrays(rgb):
    """Beyond the copies handed out (a face is under 20 kB) nothing of size is allocated, and nothing stays."""
    pipeline = build_pipeline()
    frames = [frame_from_image(picture, k / 30) for k, picture in enumerate(rgb[:60])]
    for frame in frames[:30]:
        pipeline.track(frame)
    tracemalloc.start()
    try:
        pipeline.track(frames[30])
        kept, _ = tracemalloc.get_traced_memory()
        highest = 0
        for frame in frames[31:]:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            pipeline.track(frame)
            highest = max(highest, tracemalloc.get_traced_memory()[1] - before)
        stayed = tracemalloc.get_traced_memory()[0] - kept
    finally:
        tracemalloc.stop()
    assert highest < 64_000, "one crop alone would be 196 kB, one mesh basis 665 kB"
    assert stayed < 20_000


def test_a_clip_without_a_face_runs_to_its_end(capsys):
    from tracker.publish import Publisher

    pipeline = build_pipeline()
    publisher = Publisher("tcp://127.0.0.1:*", "grey", pipeline.model.hash, pipeline.model.version)
    with publisher, open_source("lavfi:color=c=gray:size=320x240:rate=30:duration=1") as source:
        summary = run(source, pipeline, publisher)
    assert summary.frames == 30 and summary.with_faces == 0
    assert publisher.sequence == 30, "a frame without a face is published too: it is the heartbeat"
    assert "30 frames" in str(summary)


def test_a_run_leaves_garbage_collection_as_it_was():
    from tracker.publish import Publisher

    pipeline, frozen = build_pipeline(), []
    publisher = Publisher("tcp://127.0.0.1:*", "grey", pipeline.model.hash, pipeline.model.version)

    def stop(*_):
        frozen.append(gc.get_freeze_count())
        raise RuntimeError("stop")

    grey = open_source("lavfi:color=c=gray:size=320x240:rate=30:duration=1")
    with publisher, grey as source, pytest.raises(RuntimeError, match="stop"):
        run(source, pipeline, publisher, stop)
    assert frozen[0] > 1000 and gc.get_freeze_count() == 0


def test_an_interrupt_says_what_the_run_had_come_to():
    from tracker.publish import Publisher

    pipeline = build_pipeline()
    publisher = Publisher("tcp://127.0.0.1:*", "grey", pipeline.model.hash, pipeline.model.version)

    def stop(*_):
        if publisher.sequence == 7:
            raise KeyboardInterrupt

    grey = open_source("lavfi:color=c=gray:size=320x240:rate=30:duration=1")
    with publisher, grey as source, pytest.raises(KeyboardInterrupt) as caught:
        run(source, pipeline, publisher, stop)
    assert isinstance(caught.value, Stopped) and caught.value.summary.frames == 7
    assert gc.get_freeze_count() == 0


def test_a_source_that_breaks_off_says_what_the_run_had_come_to():
    from tracker.publish import Publisher

    pipeline = build_pipeline()
    with Publisher("tcp://127.0.0.1:*", "grey", pipeline.model.hash, pipeline.model.version) as publisher:
        for count in (5, 0):
            grey = open_source("lavfi:color=c=gray:size=320x240:rate=30:duration=1")
            with grey as source, pytest.raises(SourceError, match="^unplugged$") as caught:
                run(BreakingOff(source, count), pipeline, publisher)
            found = caught.value
            assert isinstance(found, BrokenOff) == bool(count), "of nothing there is nothing to say"
            assert not isinstance(found, BrokenOff) or found.summary.frames == count


class BreakingOff:
    """A source of which so many frames come."""

    def __init__(self, source, count):
        self._source, self._left = source, count

    def __getattr__(self, name):
        return getattr(self._source, name)

    def __iter__(self):
        return self

    def __next__(self):
        if not self._left:
            raise SourceError("unplugged")
        self._left -= 1
        return next(self._source)


def test_bad_pictures_are_named():
    made = tracker.Tracker()
    with pytest.raises(SettingsError, match="uint8"):
        made.track(np.zeros((10, 10, 3), np.float32))
    with pytest.raises(SettingsError, match="str"):
        made.track("talk.mp4")
    for wrong in (0, 1.5, "a", None):
        with pytest.raises(SettingsError, match="max_faces"):
            tracker.Tracker(max_faces=wrong)
    for wrong in (4.9, 151, "wide", float("nan")):
        with pytest.raises(SettingsError, match="vertical_fov_deg"):
            tracker.Tracker(vertical_fov_deg=wrong)


def test_importing_the_package_loads_nothing_heavy():
    heavy = ("av", "numba", "onnxruntime", "torch")
    code = f"import sys, tracker; tracker.ARKIT_NAMES; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_face_that_vanishes_is_coasted_ever_less_surely(rgb):
    made = tracker.Tracker()
    for k in range(12):
        last = made.track(rgb[40 + k], pts_seconds=k / 30)[0]
    black, coasted = np.zeros_like(rgb[0]), []
    for k in range(12, 20):
        faces = made.track(black, pts_seconds=k / 30)
        if not faces or faces[0].state != TrackState.COASTING:
            break
        coasted.append(faces[0])
    assert len(coasted) >= 3
    assert all(face.confidence == 0 and not face.region_confidence.any() for face in coasted)
    doubts = [face.deviation.rotation_rad for face in (last, *coasted)]
    assert (np.diff(doubts) > 0).all()
    assert all(np.isfinite(face.landmarks_px).all() for face in coasted)
    np.testing.assert_array_equal(coasted[-1].blendshapes_raw, last.blendshapes_raw)


class Slipping:
    """A network that says one number that is none, while `at` says where."""

    def __init__(self, network, bad):
        self._network, self._bad, self.at = network, bad, None
        self.input = network.input

    def __call__(self, count):
        said = self._network(count).copy()
        if self.at is not None:
            said[:, self.at] = self._bad
        return said


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_number_that_is_none_passes_by(bad):
    """In every block of the network's vector, for a frame: it is not shown, and nothing of it stays."""
    pipeline = build_pipeline()
    network = pipeline.regressor.network = Slipping(pipeline.regressor.network, bad)
    with open_source(CLIP) as source:
        frames = [frame for frame, _ in zip(source, range(8), strict=False)]
    for block, place in SLICES.items():
        pipeline.reset()
        told = []
        for number, frame in enumerate(frames):
            network.at = place.start if number == 5 else None
            told += [face for face in pipeline.track(frame) if face.state != TrackState.LOST]
        assert len(told) == len(frames), block
        assert told[5].confidence == 0 and told[-1].confidence > 0.5, block
        for face in told:
            numbers = (face.landmarks_px, face.blendshapes, face.rotation, face.translation_mm, face.identity,
                       face.lighting, face.deviation.expression)  # fmt: skip
            assert all(np.isfinite(array).all() for array in numbers), block
