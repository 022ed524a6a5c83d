"""`facewire calibrate`: a take through the pipeline, and what it comes to, as a profile and as a table.

Given an open source and a pipeline it follows the largest face, with prompts or without, and returns the take; given a
take it says on frames kept aside what calibrating does to the face at rest. It writes no file and builds no settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from tracker.calibrate.curve import Curve
from tracker.calibrate.guide import GUIDED_SECONDS, PROMPTS, moment
from tracker.calibrate.profile import Profile
from tracker.calibrate.take import LEAST_SECONDS, Take, learn, resting
from tracker.errors import SettingsError, SourceError
from tracker.face.expression import ARKIT_NAMES
from tracker.face.parameters import TrackState
from tracker.pipeline import Pipeline
from tracker.source import list_devices
from tracker.source.frame import Frame

LIVE_SECONDS = 20.0
"""How long an unguided take of a camera is."""
SHOWN = 8
"""Rows of the table."""
LEAST_CONFIDENCE = 0.3
WORSE = 0.005
"""What reads so much more at rest than before was made worse: less could not be seen in the table."""
LONGEST_STEP_SECONDS = 2.0
"""A longer step in time is a cut in the video, and so is one back: no time passes in it."""
Say = Callable[[str], None]
Rows = dict[int, list["Seen"]]
"""By track."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a take keeps of a face in a frame: whole faces of an hour would fill the memory."""

    seconds: float
    """Into the take."""
    prompt: int
    """That it follows."""
    tall_px: float
    expression: np.ndarray
    """float32 [52]: smoothed."""
    identity: np.ndarray
    """float32 [I]."""


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """The face at rest on frames that the profile was not learned from, float64 [52] each."""

    before: np.ndarray
    after: np.ndarray


def first_camera() -> str:
    """The SOURCE of the first camera of this machine. Raises SourceError where there is none."""
    found = list_devices()
    if not found:
        raise SourceError("no camera found; plug one in, or give a video: facewire calibrate talk.mp4")
    return found[0].spec


def record(frames: Iterable[Frame], pipeline: Pipeline, seconds: float, guided: bool, say: Say) -> Take:
    """Follow the largest face for so many seconds of the frames' own time, or to their end; `say` gets the prompts.

    An interrupt ends a take without prompts; what was seen until then is the take. Raises SettingsError where no face
    was seen, or not until the last prompt, and where frames have no time.
    """
    rows: Rows = {}
    try:
        _follow(frames, pipeline, min(seconds, GUIDED_SECONDS) if guided else seconds, _Teller(say, guided), rows)
    except KeyboardInterrupt:
        if guided:
            raise
    if not rows:
        raise SettingsError("no face was seen in the take; sit before the camera, lit from the front")
    seen = max(rows.values(), key=lambda track: sum(face.tall_px for face in track))
    if guided:
        _require_whole(seen[-1].seconds)
    return Take(
        np.array([face.seconds for face in seen]), np.array([face.expression for face in seen]),
        np.array([face.identity for face in seen]), np.array([face.prompt for face in seen]) if guided else None,
    )  # fmt: skip


def _follow(frames: Iterable[Frame], pipeline: Pipeline, seconds: float, teller: _Teller, rows: Rows) -> None:
    """Put into `rows` what is seen of each face, until the frames' own time is up."""
    begin = before = None
    for frame in frames:
        now = frame.pts_seconds
        if now is None:
            raise SettingsError("the take is a picture without time; give a video or a camera")
        if begin is None or before is None:
            begin = now
        elif not 0 <= now - before <= LONGEST_STEP_SECONDS:
            begin += now - before
        passed, before = now - begin, now
        if passed >= seconds:
            break
        prompt = teller(passed)
        for face in pipeline.track(frame):
            if face.state == TrackState.TRACKING and face.confidence >= LEAST_CONFIDENCE:
                tall = float(np.ptp(face.landmarks_px[:, 1]))
                seen = Seen(passed, prompt, tall, face.blendshapes, face.identity)
                rows.setdefault(face.track_id, []).append(seen)


def _require_whole(last_seconds: float) -> None:
    """Raises SettingsError unless the face of a guided take was still seen at the last prompt."""
    last = moment(last_seconds)
    if last is not None and last.place < len(PROMPTS) - 1:
        raise SettingsError(
            f"the guided take shows the face for {last_seconds:.0f} of {GUIDED_SECONDS:.0f} s, up to prompt "
            f"{last.place + 1} of {len(PROMPTS)} ({last.text!r}); stay in the picture to the last one, or leave out "
            "--guided"
        )


class _Teller:
    """Prompts as they come, each once, and the last three seconds of each counted down; nothing where unguided."""

    def __init__(self, say: Say, guided: bool) -> None:
        self._say, self._guided = say, guided
        self._said: tuple[int, int] = (-1, 0)

    def __call__(self, seconds: float) -> int:
        """Say what is due; returns the number of the prompt."""
        now = moment(seconds) if self._guided else None
        if now is None:
            return -1
        place, left = self._said
        if now.place != place:
            self._say(f"now {now.text} ...")
        elif int(now.seconds_left) < left and now.seconds_left > 0:
            self._say(f"    {int(now.seconds_left) + 1}")
        self._said = now.place, int(now.seconds_left)
        return now.prompt


def check(take: Take, model_hash: bytes) -> Check | None:
    """Learn from the even half seconds and look at the face at rest in the odd ones; None where those are too few."""
    try:
        curve = Curve(learn(take.half(0), model_hash, "", LEAST_SECONDS / 3).shapes)
    except SettingsError:
        return None
    aside = take.half(1)
    at_rest = aside.expression[resting(aside)] if len(aside.seconds) else aside.expression
    if not len(at_rest):
        return None
    mapped = np.array([curve(row, np.empty_like(row)) for row in at_rest])
    return Check(at_rest.mean(0, dtype=np.float64), mapped.mean(0, dtype=np.float64))


def as_text(profile: Profile, checked: Check | None) -> str:
    """The table: what reads most at rest before calibrating, what is left of it, and each range."""
    stretched = sum(shape.range is not None for shape in profile.shapes)
    lines = [f"{profile.seconds:.1f} s of face; the range of {stretched} of {len(ARKIT_NAMES)} shapes was shown"]
    if checked is None:
        return "\n".join([*lines, "the take is too short to keep frames aside for a check"])
    lines += ["at rest, on half of the take that these figures were not learned from:",
              f"  {'shape':20} {'before':>8} {'after':>8} {'range':>8}"]  # fmt: skip
    for shape in np.argsort(-checked.before, kind="stable")[:SHOWN]:
        most = profile.shapes[shape].range
        lines.append(
            f"  {ARKIT_NAMES[shape]:20} {checked.before[shape]:8.3f} {checked.after[shape]:8.3f} "
            f"{'not shown' if most is None else format(most, '.2f'):>8}"
        )
    worst = f"  {'largest of all':20} {checked.before.max():8.3f} {checked.after.max():8.3f}"
    mean = f"  {'mean of all':20} {checked.before.mean():8.3f} {checked.after.mean():8.3f}"
    return "\n".join([*lines, worst, mean, *_warning(checked)])


def _warning(checked: Check) -> list[str]:
    """One line that names what got worse, if anything did."""
    worse = np.flatnonzero(checked.after > checked.before + WORSE)
    if not len(worse):
        return []
    most = sorted(worse, key=lambda shape: checked.before[shape] - checked.after[shape])[:SHOWN]
    names = ", ".join(f"{ARKIT_NAMES[k]} {checked.before[k]:.3f} -> {checked.after[k]:.3f}" for k in most)
    return [
        f"warning: {len(worse)} shapes read more at rest than before ({names}); the face hardly rested in this "
        "take, so calibrate again"
    ]
