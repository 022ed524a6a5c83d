"""How like a picture a body is, region by region, and where it would be more like it: all that is done with the pixels
of one look at a body that is remembered, in one call.

Given what is known of the body (`Body`), what is remembered of this one (`Memory`), a picture of it and the pose and
coefficients it is believed to have there (`Look`), it does one after the other what these operators do, which say how:

- the lasting coefficients are folded into their running mean; while a body is new, and at every so many looks, `morph`
  makes the body at rest of them;
- `morph` moves it, `project` puts it into the halved picture (`halve`), with `normals`; `rasterize` draws it;
- `relight` says what light that is, a share of which goes into the running light; `shade` compares;
- while a body is new, and at every so many looks, what its vertices show goes into its albedo;
- a region's share shown is how much of it is there to see times how well it fits: 1 up to a mean error of `clear`, 0
  from `covered` on. Its confidence becomes said^(1 - vouches shown) shown;
- so many times, `linearize` evaluates brightness, landmarks and the coefficients' own doubt around what was drawn,
  `gauss_newton` solves, and pose and coefficients move by the step; between two steps the body is placed anew.

One call replaces nine and the small arrays between them, which cost more than their arithmetic once the caches have
gone cold between frames. It does not know what the body is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.forms import MISFIT, Form, Forms, wants_checked
from tracker.kernels.gauss_newton import MOST_PARAMETERS
from tracker.kernels.interop import rank, require, require_kind, require_numbers
from tracker.kernels.linearize import POSE
from tracker.kernels.rasterize import LARGEST_SIDE_PX, guard_px
from tracker.kernels.resemble.room import Known, Seen, Sizes, kept, seen, table
from tracker.kernels.shade import MOST_REGIONS

NUMBERS = 13
"""Of `Resembled.pose`: rotation by rows (9), place (2), scale, trust."""
LEAST_TRUST = 1e-3
"""With less than this a look still counts as much."""
LASTING_WEIGHT, LOOKS = 0, 1
"""Of `Kept.tally`."""
_FLOAT32, _FLOAT64, _INT32 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int32)


class Rules(NamedTuple):
    """The constants of the stretch, all of them numbers."""

    before_px: float
    """Depths are from a plane this far before the body's origin."""
    slack_px: float
    """So far behind the drawn surface a vertex still counts as on it."""
    softness: float
    """A pixel off by this, in shares of white, counts half."""
    clear: float
    """The mean error of a region from which it is not shown altogether, and with `covered` not at all."""
    covered: float
    vouches: float
    """How much of a doubt in what is said pixels that fit take away."""
    fresh: float
    """For so many looks a body is new: its colours are believed whatever they are."""
    gather_every: float
    """So many looks apart a body that is not new takes on what it shows."""
    light_share: float
    """Of a look's light in the running one."""
    least_light: float
    """With less light on it a vertex says nothing about its colour."""
    dim: float
    bright: float
    """Limits of an albedo."""
    longest_colour: float
    """Of how many looks an albedo is the mean at most; the next so for the lasting coefficients."""
    longest_lasting: float
    photometric: float
    """The next four are those of `linearize.Balance`."""
    spread: float
    landmark: float
    least_std_px: float
    rotation_rad: float
    """The standard deviations of the pose; the next two as well."""
    place_px: float
    log_scale: float
    share: float
    """Of what is said to be a coefficient's standard deviation, and the least that it is held to be."""
    least_std: float
    damping: float
    robust: float
    """The residual at which a weight falls to a quarter."""
    steps: float
    """How often to move: 0 or more."""


class Body:
    """What is known of every body, checked once."""

    def __init__(
        self, mean: np.ndarray, lasting: np.ndarray, moving: np.ndarray, triangles: np.ndarray, regions: np.ndarray,
        whole: np.ndarray, stepped: np.ndarray, landmarks: np.ndarray, rest: np.ndarray, side: int, rules: Rules,
    ) -> None:  # fmt: skip
        """`mean` [V, 3], `lasting` [I, V, 3] and `moving` [E, V, 3] as `morph` takes them, `triangles` [T, 3] and
        `regions` [T] as `shade`; `whole` [R], `stepped` [S], `landmarks` [L] and `rest` [L, 2] are what `Known` says,
        the halved picture has a `side` in px. Raises SettingsError."""
        require_kind("rules", rules, Rules)
        require_numbers(len(Rules._fields), rules=rules)
        self.rules = rules
        counts = (rank("mean", mean, 2), rank("triangles", triangles, 2), rank("moving", moving, 3),
                  rank("lasting", lasting, 3), rank("stepped", stepped, 1), rank("landmarks", landmarks, 1),
                  rank("whole", whole, 1))  # fmt: skip
        self.sizes = sizes = Sizes._make([*(shape[0] for shape in counts), side])
        count = sizes.vertices
        for name, array, dtype, wanted in (
            ("mean", mean, _FLOAT32, (count, 3)), ("lasting", lasting, _FLOAT32, (sizes.lasting, count, 3)),
            ("moving", moving, _FLOAT32, (sizes.moving, count, 3)),
            ("triangles", triangles, _INT32, (sizes.triangles, 3)), ("regions", regions, _INT32, (sizes.triangles,)),
        ):  # fmt: skip
            require(name, array, dtype, wanted)
        for name, numbers, limit in (("triangles", triangles, count), ("stepped", stepped, sizes.moving),
                                     ("landmarks", landmarks, count)):  # fmt: skip
            if numbers.size and not 0 <= numbers.min() <= numbers.max() < limit:
                raise SettingsError(f"{name} of {numbers.min()} to {numbers.max()}; there are 0 to {limit - 1}")
        most = (("shapes that are stepped", sizes.stepped, 0, MOST_PARAMETERS - POSE),
                ("regions", sizes.regions, 1, MOST_REGIONS), ("px of a side", side, 2, LARGEST_SIDE_PX))  # fmt: skip
        for name, number, least, limit in most:
            if not isinstance(number, int) or not least <= number <= limit:
                raise SettingsError(f"{number} {name}; {least} to {limit} are possible")
        self.known = known = Known(
            mean, lasting, moving, np.ascontiguousarray(moving[stepped]), triangles, regions,
            np.array(whole, np.float64), np.array(stepped, np.int32), np.array(landmarks, np.int32),
            np.array(rest, np.float32), np.array(rules, np.float64),
        )  # fmt: skip
        require("rest", known.rest, _FLOAT32, (sizes.landmarks, 2))


class Memory:
    """What is remembered of one body, and the room for looks at it, which it may share with others."""

    def __init__(self, body: Body, room: Seen | None = None) -> None:
        """Raises SettingsError for room that was made for another body's sizes."""
        require_kind("body", body, Body)
        self.body, self.kept, self.seen = body, kept(body.sizes), seen(body.sizes)
        if room is not None:
            require_kind("room", room, Seen)
            for name, wanted, array in zip(Seen._fields, self.seen, room, strict=True):
                require(name, array, wanted.dtype, wanted.shape, filled=True)
            self.seen = room
        self.table = table(body.known, self.kept, self.seen, body.sizes)
        self.forms = _forms(body.sizes)
        """What the arrays of a look must be, and of what is filled in."""

    def forget(self, albedo: np.ndarray, looks: float) -> None:
        """Begin anew, with an albedo [V, 3] that counts as much as so many looks."""
        if np.shape(albedo) != self.kept.albedo.shape[1:]:
            raise SettingsError(
                f"albedo has shape {list(np.shape(albedo))}; it must be {list(self.kept.albedo.shape[1:])}"
            )
        self.kept.tally[:] = 0
        self.kept.lasting[:] = 0
        self.kept.weight[:] = looks
        self.kept.albedo[0] = albedo


class Look(NamedTuple):
    """One picture, and what is believed to be in it."""

    picture: np.ndarray
    """float32 [3, 2 H, 2 H], 0..255."""
    offsets: np.ndarray
    """float32 [3 L]: where the landmarks are, less their rest, in sides of the picture; x, y and an unused z."""
    log_std: np.ndarray
    """float32 [L]: of the landmarks, in sides."""
    moving: np.ndarray
    """float32 [E]."""
    std: np.ndarray
    """float32 [E]."""
    lasting: np.ndarray
    """float32 [I]: as this look has them."""
    confidence: np.ndarray
    """float32 [R]: what is said of each region, 0..1."""
    trust: float
    """Their mean."""
    rotation: np.ndarray
    """float64 [3, 3]: the body in the source that the picture was cut from; so are place and scale."""
    center_px: np.ndarray
    """float64 [2]."""
    scale: float
    """Px per unit of the body."""
    square: tuple[float, float, float, float]
    """Where in the source the picture was cut out: x, y of its middle, its side, its roll (radians)."""


class Resembled(NamedTuple):
    """What is filled in."""

    moving: np.ndarray
    """float32 [E]: within 0..1 where a step has changed them."""
    confidence: np.ndarray
    """float32 [R]."""
    pose: np.ndarray
    """float64 [13]: in the source; see `NUMBERS`."""


Implementation = Callable[[Memory, Look, Resembled], int]
"""Takes what the operator takes, checked, but for one that `sees_misfits`; returns how many triangles reach beyond the
guard band."""


@dataclass(frozen=True, slots=True)
class Resemble:
    """`resemble` on one implementation."""

    implementation: Implementation

    def __call__(self, memory: Memory, look: Look, out: Resembled) -> None:
        """Fill `out`; `memory` takes the look in. Arrays are contiguous.

        Raises SettingsError for anything else, and where the body reaches beyond the guard band of `rasterize`.
        """
        require_kind("memory", memory, Memory)
        require_kind("look", look, Look)
        require_kind("out", out, Resembled)
        if wants_checked(self.implementation):
            self._require(memory, look, out)
        try:
            refused = self.implementation(memory, look, out)
        except (TypeError, ValueError):
            self._require(memory, look, out)
            require_numbers(4, square=look.square)
            require_numbers(trust=look.trust, scale=look.scale)
            raise
        if refused == MISFIT:
            self._require(memory, look, out)
        if refused:
            side = memory.body.sizes.side
            raise SettingsError(
                f"{refused} triangles reach more than {guard_px(side, side):g} px beyond the picture and were not "
                "drawn; look at a square nearer to the body"
            )

    def _require(self, memory: Memory, look: Look, out: Resembled) -> None:
        *given, _, rotation, center_px, _, _ = look
        memory.forms.check((*given, rotation, center_px), out)


def _forms(of: Sizes) -> Forms:
    """Of a look at a body of those sizes."""
    given = (
        Form("picture", _FLOAT32, (3, 2 * of.side, 2 * of.side)), Form("offsets", _FLOAT32, (3 * of.landmarks,)),
        Form("log_std", _FLOAT32, (of.landmarks,)), Form("moving", _FLOAT32, (of.moving,)),
        Form("std", _FLOAT32, (of.moving,)), Form("lasting", _FLOAT32, (of.lasting,)),
        Form("confidence", _FLOAT32, (of.regions,)), Form("rotation", _FLOAT64, (3, 3)),
        Form("center_px", _FLOAT64, (2,)),
    )  # fmt: skip
    filled = (
        Form("moving to fill", _FLOAT32, (of.moving,)), Form("confidence to fill", _FLOAT32, (of.regions,)),
        Form("pose", _FLOAT64, (NUMBERS,)),
    )  # fmt: skip
    return Forms(given, filled)
