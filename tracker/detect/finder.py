"""Find: which squares to look at in this frame, and which of them turned out to be faces.

Given frames and, after each look, the fits, it keeps up to `max_faces` tracks with an explicit state: squares follow
the last raw fit, new ones come from the detector, a lost one is searched for before it is given up. It never looks at
pixels itself and does not smooth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real

from tracker.detect.confirm import confirmed
from tracker.detect.detector import Detector, same_face
from tracker.detect.roi import Detection, Roi
from tracker.errors import SettingsError
from tracker.face.parameters import TrackState
from tracker.refine.fit import Fit
from tracker.source.frame import Frame

REFUSED_FRAMES = 10
"""How long a proposal that was no face is not proposed again: the tiles get their turn meanwhile."""
LOOKS_MORE = 4
"""How many waiting proposals a frame may take up after looks in vain."""
OWN_FACE = 1.3
"""Of two tracks on one face the younger keeps it where it is so many times surer of it. In 27 composed crossings of
people from training clips the one in front was at 0.52 to 0.82 when they met, the one behind at 0.00 to 0.37."""


@dataclass(frozen=True, slots=True)
class FindSettings:
    """When a square counts as a face."""

    max_faces: int = 1
    """How many people at most."""
    glance_presence: float = 0.3
    """The network's presence score below which a proposal gets no second look, 0..1."""
    acquire_presence: float = 0.99
    """The presence score a new face must reach over five looks, 0..1."""
    acquire_region_confidence: float = 0.03
    """The mean confidence of the face's regions that a new face must reach, 0..1."""
    keep_presence: float = 0.5
    """The score below which a tracked face counts as not seen, 0..1."""
    acquire_frames: int = 2
    """Frames in a row before `acquiring` becomes `tracking`."""
    coast_seconds: float = 0.5
    """How long an unseen face is held before it is lost."""
    detect_every: int = 10
    """With room for more faces, look for them every so many frames."""

    def __post_init__(self) -> None:
        if not (isinstance(self.max_faces, Integral) and 1 <= self.max_faces <= 64):
            raise SettingsError(f"max_faces {self.max_faces!r}; give a whole number from 1 to 64")
        for name in ("glance_presence", "acquire_presence", "acquire_region_confidence", "keep_presence"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0 < float(value) < 1):
                raise SettingsError(f"{name} {value!r}; give a number between 0 and 1, such as 0.5")
        for name in ("acquire_frames", "detect_every"):
            value = getattr(self, name)
            if not (isinstance(value, Integral) and int(value) >= 1):
                raise SettingsError(f"{name} {value!r}; give 1 or more whole frames")
        if not (isinstance(self.coast_seconds, Real) and 0 <= self.coast_seconds < float("inf")):
            raise SettingsError(f"coast_seconds {self.coast_seconds!r}; give 0 or more, such as 0.5")


@dataclass(slots=True)
class Track:
    """One person over time. The only thing here that changes."""

    track_id: int
    slot: int
    """Which of the buffers of the later stages is this track's."""
    roi: Roi
    state: TrackState = TrackState.ACQUIRING
    seen: int = 0
    """Frames in a row in which it was seen."""
    unseen_since: float | None = None
    """Time of the first frame in which it was not seen; None while it is."""
    proposed: Roi | None = None
    """The square that the detector gave, until a face was seen there."""
    last_seen: Roi | None = None
    """Where the face was when it was last seen; a look elsewhere that was in vain goes back there."""
    leapt: bool = False
    """It was last seen where `leaps` said so."""

    @property
    def leaps(self) -> bool:
        """Is the square elsewhere than the face was: a cut, or faster than a look can follow? No motion leads there."""
        return self.last_seen is not None and not same_face(self.roi, self.last_seen)


class Finder:
    """Tracks over a stream of frames."""

    def __init__(self, detector: Detector, settings: FindSettings = FindSettings()) -> None:
        self._detector, self.settings = detector, settings
        self.tracks: list[Track] = []
        self._next_id = 0
        self._frames = 0
        # Proposals of this frame for which there was no room, and what was looked at in vain, with the frame's number.
        self._waiting: list[Detection] = []
        self._refused: list[tuple[Roi, int]] = []

    def forget(self) -> None:
        """Forget everybody; ids go on, so that none comes twice in a stream."""
        self.tracks.clear()
        self._waiting.clear()
        self._refused.clear()
        self._frames = 0

    def reset(self) -> None:
        """Forget everybody; ids start at 0 again."""
        self.forget()
        self._next_id = 0

    def __call__(self, frame: Frame) -> list[Track]:
        """The tracks to look at in this frame, new ones included."""
        self.tracks = [track for track in self.tracks if track.state != TrackState.LOST]
        self._frames += 1
        self._waiting.clear()
        self._refused = [(roi, since) for roi, since in self._refused if self._frames - since < REFUSED_FRAMES]
        room = len(self.tracks) < self.settings.max_faces
        if room and (not self.tracks or self._frames % self.settings.detect_every == 0):
            # A stream begins but once, and the tiles' turns would take seconds.
            found = self._detector(frame) if self._frames > 1 else self._everywhere(frame)
            if self._frames > 1 and not any(self._is_new(detection) for detection in found):
                found = self._detector.next_tile(frame)
            self._open(found)
        return self.tracks

    def thorough(self, frame: Frame) -> list[Track]:
        """For an image of its own: everything the whole frame and all its tiles show."""
        self._open(self._everywhere(frame))
        return self.tracks

    def _everywhere(self, frame: Frame) -> list[Detection]:
        """What the whole frame shows, and while that leaves room what its tiles do."""
        found = self._detector(frame)
        return found if len(found) >= self.settings.max_faces else self._detector.thorough(frame)

    def elsewhere(self, frame: Frame, missed: Iterable[Track]) -> list[Track]:
        """Those of the missed tracks for which the detector knows another place: look again there, in this frame."""
        moved = []
        missed = [track for track in missed if track.seen or track.unseen_since is not None]
        if not missed:
            return []
        others = [track for track in self.tracks if track not in missed]
        found = [d for d in self._detector(frame) if not any(same_face(d.roi, other.roi) for other in others)]
        while missed and found:
            pairs = ((track, detection) for track in missed for detection in found)
            track, nearest = min(pairs, key=lambda pair: _distance(pair[1].roi, pair[0].roi))
            missed.remove(track)
            found.remove(nearest)
            track.roi = nearest.roi
            moved.append(track)
        return moved

    def instead(self, fits: dict[int, Fit]) -> list[Track]:
        """After a look: drop the proposals that were no face, and return those that now have room. `fits` by track id
        are those accepted. What was refused is not proposed again for a while, so that others get their turn."""
        for track in reversed(self.tracks[:]):
            if track.proposed is not None and track.track_id not in fits:
                self._refused.append((track.proposed, self._frames))
                self.tracks.remove(track)
                # Nobody has seen its id yet, so the next one may have it.
                self._next_id -= track.track_id == self._next_id - 1
        before = len(self.tracks)
        self._open(self._waiting[:LOOKS_MORE])
        return self.tracks[before:]

    def promises(self, fit: Fit) -> bool:
        """Is a proposal worth further looks? Most phantoms are gone at the first."""
        return fit.plausible and fit.presence >= self.settings.glance_presence

    def accepts(self, track: Track, fit: Fit, others: list[Fit]) -> bool:
        """Is this a face, and this track's? `others` are the fits of a new track's nudged squares."""
        if track.seen:
            return fit.plausible and fit.presence >= self.settings.keep_presence
        clear = fit.region_confidence.mean() >= self.settings.acquire_region_confidence
        return bool(clear and confirmed(fit, others, self.settings.acquire_presence))

    def settle(self, fits: dict[int, Fit], now_seconds: float) -> list[Track]:
        """Take this frame's outcome: `fits` by track id are those accepted. Returns the tracks worth publishing."""
        sure = {track.track_id for track in self.tracks if track.state != TrackState.ACQUIRING}
        for track in self.tracks:
            fit = fits.get(track.track_id)
            if fit is not None:
                self._saw(track, fit)
            else:
                self._missed(track, now_seconds)
        self._drop_doubles(fits, sure, now_seconds)
        # A proposal that never became a face is nobody's loss.
        self.tracks = [
            t for t in self.tracks if t.seen or (t.unseen_since is not None and t.state != TrackState.ACQUIRING)
        ]
        return self.tracks

    def _saw(self, track: Track, fit: Fit) -> None:
        track.seen += 1
        track.proposed = None
        track.unseen_since = None
        track.leapt = track.leaps
        track.roi = track.last_seen = fit.roi()
        sure = track.seen >= self.settings.acquire_frames or track.state != TrackState.ACQUIRING
        track.state = TrackState.TRACKING if sure else TrackState.ACQUIRING

    def _missed(self, track: Track, now_seconds: float) -> None:
        track.seen, track.leapt = 0, False
        track.roi = track.last_seen or track.roi
        if track.unseen_since is None:
            track.unseen_since = now_seconds
        if track.state == TrackState.ACQUIRING:
            return
        over = now_seconds - track.unseen_since > self.settings.coast_seconds or now_seconds < track.unseen_since
        track.state = TrackState.LOST if over else TrackState.COASTING

    def _drop_doubles(self, fits: dict[int, Fit], sure: set[int], now_seconds: float) -> None:
        """Two tracks on one face: one is lost, and said to be where anybody was `sure` of it until now."""
        kept: list[Track] = []
        for track in sorted(self.tracks, key=lambda t: t.track_id):
            older = next((o for o in kept if o.seen and same_face(track.roi, o.roi)), None)
            if older is not None:
                gone = track
                if {track.track_id, older.track_id} <= sure and self._looks_like(track, older, fits):
                    gone = older
                if gone.track_id not in sure:
                    continue
                if gone.unseen_since is None:
                    gone.unseen_since = now_seconds
                gone.seen, gone.state = 0, TrackState.LOST
            kept.append(track)
        self.tracks = kept

    def _looks_like(self, track: Track, older: Track, fits: dict[int, Fit]) -> bool:
        """Is the face that both show rather that of `track`? Each is compared with how its own looked so far."""
        fit = fits.get(track.track_id)
        return fit is not None and fit.trust > OWN_FACE * fits[older.track_id].trust

    def _is_new(self, detection: Detection) -> bool:
        known = [track.roi for track in self.tracks] + [roi for roi, _ in self._refused]
        return not any(same_face(detection.roi, roi) for roi in known)

    def _open(self, found: list[Detection]) -> None:
        """Open tracks for what is new, as far as there is room; the rest waits for `instead`."""
        self._waiting = []
        for detection in found:
            if not self._is_new(detection):
                continue
            if len(self.tracks) == self.settings.max_faces:
                self._waiting.append(detection)
                continue
            used = {track.slot for track in self.tracks}
            slot = next(s for s in range(self.settings.max_faces) if s not in used)
            self.tracks.append(Track(self._next_id, slot, detection.roi, proposed=detection.roi))
            self._next_id += 1


def _distance(a: Roi, b: Roi) -> float:
    return (a.x_px - b.x_px) ** 2 + (a.y_px - b.y_px) ** 2
