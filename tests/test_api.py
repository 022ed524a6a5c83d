"""The Python API on a device, and for several streams: what it finds there, and one line for what cannot be."""

from importlib.resources import files

import numpy as np
import pytest

import tracker
from tracker.device import readiness
from tracker.errors import BackendUnavailable, SettingsError
from tracker.face.parameters import TrackState
from tracker.kernels.reorient.reference import rotated


@pytest.fixture(scope="module")
def pictures():
    """Some frames of the bundled clip as PyAV has them, and their RGB."""
    import av

    with av.open(str(files("tracker.assets").joinpath("demo.mp4"))) as container:
        found = [picture for picture, _ in zip(container.decode(video=0), range(8), strict=False)]
    return found, [picture.to_ndarray(format="rgb24") for picture in found]


@pytest.fixture
def stand_in(monkeypatch):
    """The processor in the place of a GPU."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'facewire[gpu]'")
    pytest.importorskip("onnx")
    torch.set_num_threads(1)
    monkeypatch.setattr(readiness, "cuda_device", lambda: torch.device("cpu"))


def test_where_a_device_is_missing_the_api_says_what_the_command_says(monkeypatch):
    monkeypatch.setattr(readiness, "find_spec", lambda name: None)
    for made in (lambda: tracker.Tracker(device="cuda"), lambda: tracker.Trackers(2, device="cuda")):
        with pytest.raises(BackendUnavailable) as error:
            made()
        text = str(error.value)
        assert text.startswith("device cuda: without torch, triton, cupy, onnx; pip install 'facewire[gpu]'")
        assert "in Python device" in text and "\n" not in text


def test_an_image_of_its_own_leaves_nothing_to_the_stream_after_it(pictures):
    """Neither its face nor what is known of that: another picture's would be taken for the first frame's."""
    made, fresh, rgb = tracker.Tracker(), tracker.Tracker(), pictures[1]
    made.track(rgb[7][:, ::-1])
    for number in range(3):
        (found,), (wanted,) = (each.track(rgb[number], number / 30) for each in (made, fresh))
        assert (found.track_id, found.state) == (wanted.track_id, wanted.state)
        assert np.array_equal(found.landmarks_px, wanted.landmarks_px)
        assert np.array_equal(found.identity, wanted.identity)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_light_turns_with_the_picture_and_not_with_the_head(pictures, stand_in, device):
    made, square = tracker.Tracker(device=device), np.ascontiguousarray(pictures[1][7][:, 80:560])
    (upright,), (lying,) = (made.track(picture) for picture in (square, np.rot90(square, -1)))
    y, _, x = upright.lighting[1:4, 1]
    assert np.hypot(x, y) > 0.1, "the light is from one side"
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])  # clockwise: what was right is below
    np.testing.assert_allclose(lying.lighting, rotated(upright.lighting, quarter), atol=0.1)
    assert np.abs(lying.lighting[1:4] - upright.lighting[1:4]).max() > 0.1


def test_another_device_is_refused():
    with pytest.raises(SettingsError, match="device 'tpu'; valid: cpu, cuda"):
        tracker.Tracker(device="tpu")


def test_a_tracker_on_a_device_finds_what_one_on_the_processor_does(pictures, stand_in):
    here, there = tracker.Tracker(), tracker.Tracker(device="cuda")
    for picture in pictures[0]:
        wanted, found = here.track(picture, picture.time), there.track(picture, picture.time)
        assert [(face.track_id, face.state) for face in found] == [(face.track_id, face.state) for face in wanted]
        assert np.abs(found[0].landmarks_px - wanted[0].landmarks_px).mean() < 1.0
    there.reset()
    assert there.track(picture, picture.time)[0].state == TrackState.ACQUIRING


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_trackers_take_what_is_due_in_any_form(pictures, stand_in, device):
    trackers = tracker.Trackers(3, device=device, vertical_fov_deg=[63, 40, 63])
    planes, rgb = pictures
    for number in range(4):
        due = {0: (planes[number], number / 30), 1: (rgb[number][:, ::-1], number / 25)}
        faces = trackers.track(due | ({2: (rgb[number][::2, ::2], None)} if number == 3 else {}))
    assert [*faces] == [0, 1, 2] and all(len(of) == 1 for of in faces.values())
    assert [of[0].state for of in faces.values()] == [TrackState.TRACKING] * 3
    assert faces[1][0].translation_mm[2] > 1.3 * faces[0][0].translation_mm[2], "a longer lens"
    trackers.reset(1)
    again = trackers.track({stream: (rgb[4], 4 / 25) for stream in (1, 0)})
    assert [*again] == [1, 0]
    assert [again[stream][0].state for stream in (0, 1)] == [TrackState.TRACKING, TrackState.ACQUIRING]


def test_what_trackers_cannot_take_is_refused_before_any_stream_moves_on(pictures, stand_in):
    trackers, rgb = tracker.Trackers(2), pictures[1][0]
    for due, said in (
        ({0: (rgb, 0.0), 2: (rgb, 0.0)}, "stream 2; there are 0 to 1"),
        ({0: (rgb, 0.0), 1: rgb}, r"stream 1 comes with ndarray; give a tuple \(picture, pts_seconds\)"),
        ({0: (rgb, 0.0), 1: (rgb[0], 0.0)}, r"an image must be uint8 \[H, W, 3\]"),
        ({0: (rgb, 0.0), 1: (rgb, float("nan"))}, "pts_seconds=nan"),
        ({0: (rgb, 0.0), 1: (rgb, "0.04")}, "pts_seconds='0.04'; give seconds"),
        ({0: (rgb, 0.0), 1: (rgb, 1e300)}, r"pts_seconds=1e\+300"),
        ({0: (rgb, 0.0), 1: (rgb, np.zeros(2))}, "pts_seconds=array"),
        ({0.0: (rgb, 0.0)}, "stream 0.0; there are 0 to 1"),
    ):
        with pytest.raises(SettingsError, match=said):
            trackers.track(due)
    assert trackers.track({}) == {}
    assert trackers.track({0: (rgb, 0.0)})[0][0].state == TrackState.ACQUIRING, "the first it sees"
    with pytest.raises(SettingsError, match="stream 5; there are 0 to 1"):
        trackers.reset(5)
    for streams in (0, "2", 2.0):
        with pytest.raises(SettingsError, match=f"streams {streams!r}; give 1 or more"):
            tracker.Trackers(streams)
    with pytest.raises(SettingsError, match="vertical_fov_deg of 2 cameras for 3 streams"):
        tracker.Trackers(3, vertical_fov_deg=(60, 40))
    with pytest.raises(SettingsError, match="80 faces in all on one device; give 1 to 64"):
        tracker.Trackers(40, max_faces=2, device="cuda")
