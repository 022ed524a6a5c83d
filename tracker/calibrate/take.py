"""A take, and what is learned from it: where the face rests, how still it is there, and how far each shape goes.

Given a person's smoothed shapes over time, it finds the neutral face as the densest calm stretch (or takes what the
person was told to rest for) and each shape's range as a high quantile. It does not know cameras, prompts or files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tracker.calibrate.profile import Profile, ShapeRange
from tracker.errors import SettingsError
from tracker.face.expression import ARKIT_NAMES, GROUP_OF

LEAST_SECONDS = 3.0
"""A take that shows the face for less is refused."""
RANGE_QUANTILE = 0.99
"""Of a shape over a take: a blink every few seconds is above it."""
PROMPTED_QUANTILE = 0.9
"""Of a shape over the frames of one prompt, most of which show it."""
STEP_SECONDS = 0.1
"""To both sides of a frame: the stretch over which its motion is measured."""
CALM_SHARE = 0.4
"""Of the frames, those that move least, among which the neutral is looked for."""
REST_SHARE = 0.3
"""Of the calm frames, those that are most alike."""
LEAST_REST = 15
MOST_COMPARED = 800
"""Calm frames compared with each other; more are thinned out."""
LEAN = 0.5
"""What a unit of expression costs a pose as a candidate for the neutral, beside a unit of scatter around it: a smile
that is held longer than the face rests is still no neutral."""
SHOWN_FROM = 0.2
"""A range this far above neutral counts as shown."""
BLOCK_SECONDS = 0.5
"""Every second block of this length is held out for the check."""

GAZE_WEIGHT = 0.5
"""Of how far the eyes turned, when poses are compared: they wander on the calmest face, yet rest looking ahead."""

_GAZE = np.array([group == "gaze" for group in GROUP_OF])
# A blink is no motion of the face; how far lids are shut at rest is the median over the frames found without them.
_WEIGHTS = np.where(_GAZE, GAZE_WEIGHT, [float(not name.startswith("eyeBlink")) for name in ARKIT_NAMES])


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """What a tracker said about one person, frame by frame."""

    seconds: np.ndarray
    """float64 [N], rising."""
    expression: np.ndarray
    """float32 [N, 52]: smoothed, not calibrated."""
    identity: np.ndarray
    """float32 [N, I]: the running mean."""
    prompts: np.ndarray | None = None
    """int [N]: which prompt each frame follows, 0 for rest, -1 for none; None where nobody was prompted."""

    def half(self, which: int) -> Take:
        """Every second half second of it, the even ones or the odd ones."""
        kept = (self.seconds // BLOCK_SECONDS).astype(int) % 2 == which
        prompts = None if self.prompts is None else self.prompts[kept]
        return replace(
            self, seconds=self.seconds[kept], expression=self.expression[kept], identity=self.identity[kept],
            prompts=prompts,
        )  # fmt: skip

    @property
    def shown_seconds(self) -> float:
        """How long the face was seen; gaps of more than a quarter of a second do not count."""
        steps = np.diff(self.seconds)
        return float(steps[steps < 0.25].sum())


def _check(take: Take, least_seconds: float) -> None:
    """Raise SettingsError for a take from which nothing can be learned."""
    if len(take.seconds) < LEAST_REST or take.shown_seconds < least_seconds:
        raise SettingsError(
            f"the take shows a face for {take.shown_seconds:.1f} s in {len(take.seconds)} frames; give "
            f"{least_seconds:.0f} s or more, lit from the front, with the face still for some of them"
        )
    if take.prompts is not None and np.count_nonzero(take.prompts == 0) < LEAST_REST:
        raise SettingsError("the face was not seen while it was to rest; calibrate again, or without --guided")


def resting(take: Take) -> np.ndarray:
    """bool [N]: the frames in which the face rests, as prompted or else as found."""
    return take.prompts == 0 if take.prompts is not None else _densest(take.expression, calm(take))


def calm(take: Take) -> np.ndarray:
    """bool [N]: the frames that move least, over 0.2 s around each."""
    shapes, seconds = take.expression[:, ~_GAZE] * _WEIGHTS[~_GAZE], take.seconds
    before = np.searchsorted(seconds, seconds - STEP_SECONDS)
    after = np.searchsorted(seconds, seconds + STEP_SECONDS, side="right") - 1
    apart = np.maximum(seconds[after] - seconds[before], 1e-3)
    speed = np.linalg.norm(shapes[after] - shapes[before], axis=1) / apart
    speed[after == before] = np.inf
    found: np.ndarray = speed <= np.quantile(speed, CALM_SHARE)
    return found


def _densest(expression: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """bool [N]: those candidates that lie nearest to the densest and least expressive of them."""
    shapes = expression * _WEIGHTS
    chosen = np.flatnonzero(candidates)
    some = shapes[chosen[:: -(-len(chosen) // MOST_COMPARED)]]
    apart = np.sqrt(np.maximum((some**2).sum(1)[:, None] + (some**2).sum(1) - 2 * some @ some.T, 0))
    nearest = np.sort(apart, axis=1)[:, : _rest_count(len(some))]
    centre = some[np.argmin(nearest.mean(1) + LEAN * np.linalg.norm(some, axis=1))]
    away = np.linalg.norm(shapes[chosen] - centre, axis=1)
    rests = np.zeros(len(shapes), bool)
    rests[chosen[np.argsort(away, kind="stable")[: _rest_count(len(chosen))]]] = True
    return rests


def _rest_count(frames: int) -> int:
    return min(frames, max(LEAST_REST, round(REST_SHARE * frames)))


def learn(take: Take, model_hash: bytes, name: str, least_seconds: float = LEAST_SECONDS) -> Profile:
    """The profile of the person in the take. Raises SettingsError for a take that shows the face for less."""
    _check(take, least_seconds)
    at_rest = take.expression[resting(take)].astype(np.float64)
    neutral, above = np.quantile(at_rest, (0.5, 0.84), axis=0)
    top = _range(take)
    shapes = tuple(
        ShapeRange(_rounded(rest), _rounded(high - rest), _rounded(peak) if shown else None)
        for rest, high, peak, shown in zip(neutral, above, top, _shown(neutral, top), strict=True)
    )
    settled = take.identity[len(take.identity) // 2 :].mean(0, dtype=np.float64).round(4).astype(np.float32)
    return Profile(name, model_hash, settled, shapes, round(take.shown_seconds, 1), take.prompts is not None)


def _shown(neutral: np.ndarray, top: np.ndarray) -> np.ndarray:
    """bool [52]: whose range is known. Gaze is an angle: where the eyes turned says nothing of how far they can."""
    shown: np.ndarray = (top - neutral >= SHOWN_FROM) & ~_GAZE
    return shown


def _range(take: Take) -> np.ndarray:
    """float64 [52]: the strongest use of each shape."""
    if take.prompts is None:
        return np.quantile(take.expression.astype(np.float64), RANGE_QUANTILE, axis=0)
    asked = [take.expression[take.prompts == prompt] for prompt in np.unique(take.prompts[take.prompts >= 0])]
    return np.max([np.quantile(each.astype(np.float64), PROMPTED_QUANTILE, axis=0) for each in asked], axis=0)


def _rounded(value: float) -> float:
    return round(min(max(float(value), 0.0), 1.0), 4)
