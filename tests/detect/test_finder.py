"""The states of a track, driven by a scripted detector and scripted fits."""

from fractions import Fraction

import numpy as np
import pytest

from tracker.detect.confirm import NUDGES, agreeing, disagreement, nudged
from tracker.detect.finder import LOOKS_MORE, REFUSED_FRAMES, Finder, FindSettings
from tracker.detect.roi import Detection, Roi
from tracker.errors import SettingsError
from tracker.face.parameters import TrackState
from tracker.refine.fit import Fit
from tracker.regress.outputs import ROI_SIDE_MM
from tracker.source.frame import Frame


class Scripted:
    """Finds whatever the test says is there."""

    def __init__(self):
        self.there: list[Roi] = []
        self.looks = 0

    def __call__(self, frame):
        self.looks += 1
        return [Detection(roi, 0.9) for roi in self.there]

    next_tile = thorough = __call__


def a_frame():
    plane = np.zeros((100, 200), np.uint8)
    half = np.zeros((50, 100), np.uint8)
    return Frame((plane, half, half), "i420", 8, "bt601", False, 0, Fraction(1, 30), 0, 0, 0)


def a_fit(track, presence=0.999, x=None, plausible=True, trust=0.8):
    scale = track.roi.side_px / ROI_SIDE_MM
    center = np.array([track.roi.x_px if x is None else x, track.roi.y_px - 30 * scale])
    five, many = np.full(5, 0.8, np.float32), np.full(52, 0.1, np.float32)
    return Fit(
        track.track_id, many, np.zeros(64, np.float32), np.eye(3), center, scale, presence, five, trust, many,
        0.1, 0.1, 1.0, 0.1, plausible,
    )  # fmt: skip


def step(finder, now, seen=True, presence=0.999):
    tracks = list(finder(a_frame()))
    fits = {t.track_id: a_fit(t, presence) for t in tracks} if seen else {}
    fits = {k: f for k, f in fits.items() if finder.accepts(next(t for t in tracks if t.track_id == k), f, [])}
    return finder.settle(fits, now)


def test_acquiring_tracking_coasting_lost_gone():
    detector = Scripted()
    finder = Finder(detector, FindSettings(coast_seconds=0.2))
    assert step(finder, 0.0) == []
    detector.there = [Roi(50, 50, 40, 0)]
    assert [t.state for t in step(finder, 0.1)] == [TrackState.ACQUIRING]
    assert [t.state for t in step(finder, 0.2)] == [TrackState.TRACKING]
    detector.there = []
    assert [t.state for t in step(finder, 0.3, seen=False)] == [TrackState.COASTING]
    assert [t.state for t in step(finder, 0.4)] == [TrackState.TRACKING], "it came back"
    step(finder, 0.5, seen=False)
    assert [t.state for t in step(finder, 0.8, seen=False)] == [TrackState.LOST]
    assert step(finder, 0.9, seen=False) == []
    detector.there = [Roi(50, 50, 40, 0)]
    assert [t.track_id for t in step(finder, 1.0)] == [1], "an id is not used twice"


def test_a_proposal_that_is_no_face_is_never_published():
    detector = Scripted()
    detector.there = [Roi(50, 50, 40, 0)]
    finder = Finder(detector)
    assert step(finder, 0.0, presence=0.1) == []
    assert finder.tracks == []


def test_the_square_follows_the_fit_without_the_detector():
    detector = Scripted()
    detector.there = [Roi(50, 50, 40, 0)]
    finder = Finder(detector)
    step(finder, 0.0)
    looks = detector.looks
    (track,) = finder(a_frame())
    finder.settle({track.track_id: a_fit(track, x=70.0)}, 0.1)
    assert abs(finder.tracks[0].roi.x_px - 70) < 1e-6
    assert detector.looks == looks, "a tracked face costs no detection"


def test_max_faces_and_room():
    detector = Scripted()
    detector.there = [Roi(30, 50, 30, 0), Roi(100, 50, 30, 0), Roi(170, 50, 30, 0)]
    finder = Finder(detector, FindSettings(max_faces=2))
    assert [t.track_id for t in step(finder, 0.0)] == [0, 1]
    assert sorted(t.slot for t in finder.tracks) == [0, 1]


def test_two_tracks_on_one_face_become_one():
    detector = Scripted()
    detector.there = [Roi(30, 50, 30, 0), Roi(100, 50, 30, 0)]
    finder = Finder(detector, FindSettings(max_faces=2))
    step(finder, 0.0)
    tracks = list(finder(a_frame()))
    settled = finder.settle({t.track_id: a_fit(t, x=60.0) for t in tracks}, 0.1)
    assert [t.track_id for t in settled] == [0], "nobody was sure of the other one yet"


def test_a_sure_track_that_meets_an_older_one_is_said_to_be_lost():
    detector = Scripted()
    detector.there = [Roi(30, 50, 30, 0), Roi(100, 50, 30, 0)]
    finder = Finder(detector, FindSettings(max_faces=2))
    for k in range(3):
        step(finder, k / 30)
    tracks = list(finder(a_frame()))
    settled = finder.settle({t.track_id: a_fit(t, x=60.0) for t in tracks}, 0.1)
    states = {t.track_id: (t.state, t.seen, t.unseen_since) for t in settled}
    assert states == {0: (TrackState.TRACKING, 4, None), 1: (TrackState.LOST, 0, 0.1)}
    assert 1 not in {t.track_id for t in finder(a_frame())}


def test_a_face_that_comes_before_an_older_one_keeps_its_own_track():
    detector = Scripted()
    detector.there = [Roi(30, 50, 30, 0), Roi(100, 50, 30, 0)]
    for behind, front, lost in ((0.2, 0.7, 0), (0.6, 0.7, 1), (0.7, 0.2, 1)):
        finder = Finder(detector, FindSettings(max_faces=2))
        for k in range(3):
            step(finder, k / 30)
        tracks = list(zip(finder(a_frame()), (behind, front), strict=True))
        settled = finder.settle({t.track_id: a_fit(t, x=60.0, trust=trust) for t, trust in tracks}, 0.1)
        states = {t.track_id: t.state for t in settled}
        assert states == {lost: TrackState.LOST, 1 - lost: TrackState.TRACKING}, (behind, front)


def test_a_track_nobody_was_sure_of_takes_no_face_from_an_older_one():
    detector = Scripted()
    detector.there = [Roi(30, 50, 30, 0), Roi(100, 50, 30, 0)]
    finder = Finder(detector, FindSettings(max_faces=2))
    step(finder, 0.0)
    fits = {t.track_id: a_fit(t, x=60.0, trust=0.1 + 0.8 * t.track_id) for t in finder(a_frame())}
    assert [t.track_id for t in finder.settle(fits, 0.1)] == [0], "new colours are believed whatever they are"


def test_a_track_that_is_sure_at_once_and_a_double_was_never_there():
    detector = Scripted()
    detector.there = [Roi(30, 50, 30, 0), Roi(100, 50, 30, 0)]
    finder = Finder(detector, FindSettings(max_faces=2, acquire_frames=1))
    tracks = list(finder(a_frame()))
    settled = finder.settle({t.track_id: a_fit(t, x=60.0) for t in tracks}, 0.0)
    assert [(t.track_id, t.state) for t in settled] == [(0, TrackState.TRACKING)]


def test_of_two_missed_faces_the_nearer_one_has_moved():
    detector = Scripted()
    detector.there = [Roi(30, 50, 20, 0), Roi(100, 50, 20, 0)]
    finder = Finder(detector, FindSettings(max_faces=2))
    step(finder, 0.0)
    detector.there = [Roi(70, 50, 20, 0)]
    tracks = list(finder(a_frame()))
    assert [t.track_id for t in finder.elsewhere(a_frame(), tracks)] == [1], "whichever comes first in the list"


def test_a_look_elsewhere_in_vain_does_not_move_a_face_that_is_covered():
    detector = Scripted()
    detector.there = [Roi(50, 50, 40, 0)]
    finder = Finder(detector)
    step(finder, 0.0)
    step(finder, 0.1)
    before = finder.tracks[0].roi
    detector.there = [Roi(150, 50, 40, 0)]  # no face
    tracks = list(finder(a_frame()))
    assert finder.elsewhere(a_frame(), tracks)[0].roi.x_px == 150
    (held,) = finder.settle({}, 0.2)
    assert held.state == TrackState.COASTING and held.roi == before, "it is looked for where it was"


def test_a_missed_face_is_searched_elsewhere_in_the_same_frame():
    detector = Scripted()
    detector.there = [Roi(50, 50, 40, 0)]
    finder = Finder(detector)
    step(finder, 0.0)
    detector.there = [Roi(150, 50, 40, 0)]
    tracks = list(finder(a_frame()))
    moved = finder.elsewhere(a_frame(), tracks)
    assert [t.track_id for t in moved] == [0] and moved[0].roi.x_px == 150


def test_a_new_face_must_look_the_same_from_beside_it():
    detector = Scripted()
    detector.there = [Roi(50, 50, 40, 0)]
    finder = Finder(detector)
    (track,) = finder(a_frame())
    fit, same, moved, gone = (a_fit(track, 0.999), a_fit(track, 0.999, x=52.0), a_fit(track, 0.999, x=66.0),
                              a_fit(track, 0.6))  # fmt: skip
    assert finder.accepts(track, fit, [same] * 4)
    assert finder.accepts(track, fit, [same] * 3 + [moved]) and agreeing(fit, [moved, same]) == [same]
    assert not finder.accepts(track, fit, [same] * 2 + [moved] * 2), "it moves"
    assert not finder.accepts(track, fit, [same] * 3 + [a_fit(track, 0.999, x=75.0)]), "it moved by half a face"
    assert not finder.accepts(track, fit, [same] * 2 + [gone] * 2), "it fades when looked at again"
    assert not finder.accepts(track, fit, [same] * 3 + [a_fit(track, 0.999, plausible=False)])
    assert not finder.accepts(track, fit, [same] * 3 + [a_fit(track, 0.4)]), "one look sees none"
    assert len(set(nudged(track.roi))) == len(NUDGES) and track.roi not in nudged(track.roi)
    assert disagreement(fit, fit) < 1e-6


def test_what_is_no_face_at_a_glance_gets_no_second_look():
    detector = Scripted()
    detector.there = [Roi(50, 50, 40, 0)]
    finder = Finder(detector)
    (track,) = finder(a_frame())
    assert finder.promises(a_fit(track, 0.6)) and not finder.promises(a_fit(track, 0.1))
    assert not finder.promises(a_fit(track, 0.99, plausible=False))


def test_settings_name_what_is_wrong():
    with pytest.raises(SettingsError, match="max_faces 0"):
        FindSettings(max_faces=0)
    with pytest.raises(SettingsError, match=r"keep_presence 1.5"):
        FindSettings(keep_presence=1.5)
    with pytest.raises(SettingsError, match="detect_every 0"):
        FindSettings(detect_every=0)
    with pytest.raises(SettingsError, match="coast_seconds -1"):
        FindSettings(coast_seconds=-1.0)


@pytest.mark.parametrize(
    "wrong",
    [{"max_faces": 1.5}, {"max_faces": "a"}, {"acquire_frames": 2.0}, {"detect_every": None}, {"keep_presence": "0.5"}]
    + [{"coast_seconds": "long"}],
)
def test_settings_of_another_type_are_named_too(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(SettingsError, match=f"{name} {value!r}; give"):
        FindSettings(**wrong)
    assert FindSettings(max_faces=np.int64(2), keep_presence=np.float32(0.5)).max_faces == 2


def test_what_was_looked_at_in_vain_gives_way_to_the_next_proposal():
    detector = Scripted()
    detector.there = [Roi(20, 20, 30, 0), Roi(120, 50, 60, 0)]  # the first is no face
    finder = Finder(detector, FindSettings(max_faces=1))
    (phantom,) = finder(a_frame())
    (face,) = finder.instead({})
    assert (phantom.roi.x_px, face.roi.x_px) == (20, 120)
    assert face.slot == phantom.slot, "one face needs one buffer"
    assert face.track_id == phantom.track_id == 0, "a phantom costs no id"
    fits = {face.track_id: a_fit(face)}
    assert finder.instead(fits) == [] and finder.settle(fits, 0.0) == [face]


def test_what_was_looked_at_in_vain_does_not_keep_the_tiles_from_being_searched():
    detector = Scripted()
    phantom, hidden = Roi(20, 20, 30, 0), Roi(120, 50, 60, 0)
    detector.there = [phantom]
    detector.next_tile = lambda frame: [Detection(hidden, 0.8)]
    finder = Finder(detector)
    assert [track.roi for track in finder(a_frame())] == [phantom]
    assert finder.instead({}) == [] and finder.settle({}, 0.0) == []
    assert [track.roi for track in finder(a_frame())] == [hidden]


def test_what_was_refused_is_looked_at_again_after_a_while():
    detector = Scripted()
    detector.there = [Roi(20, 20, 30, 0)]
    finder = Finder(detector)
    looked = []
    for _ in range(REFUSED_FRAMES + 1):
        looked.append(len(finder(a_frame())))
        finder.instead({})
    assert looked == [1] + [0] * (REFUSED_FRAMES - 1) + [1]


def test_a_frame_full_of_phantoms_costs_only_so_many_looks():
    detector = Scripted()
    detector.there = [Roi(10 + 20 * k, 50, 12, 0) for k in range(9)]
    finder = Finder(detector)
    looks = len(finder(a_frame()))
    while more := finder.instead({}):
        looks += len(more)
    assert looks == 1 + LOOKS_MORE


def test_a_stream_begins_with_a_thorough_look_while_there_is_room():
    detector, near, far = Scripted(), Roi(20, 20, 30, 0), Roi(120, 50, 60, 0)
    detector.there = [near]
    detector.thorough = lambda frame: [Detection(near, 0.8), Detection(far, 0.8)]
    assert [track.roi for track in Finder(detector)(a_frame())] == [near], "room for one, and one there"
    finder = Finder(detector, FindSettings(max_faces=2))
    assert [track.roi for track in finder(a_frame())] == [near, far]
    finder.tracks.clear()
    assert [track.roi for track in finder(a_frame())] == [near], "from then on by turns"
    finder.forget()
    assert [track.track_id for track in finder(a_frame())] == [3, 4]
    finder.reset()
    assert [track.track_id for track in finder(a_frame())] == [0, 1]
