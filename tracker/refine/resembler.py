"""The fit as its pixels bear it out: what does not look as it should loses confidence; pose and expression move.

Given a guess and its fit it hands the crop, the face model and what is remembered of that face to the `resemble`
kernel, with the constants of `compare` and `terms`, and returns the fit that comes of it. It keeps each track's
identity, colours and light; a new face in a slot begins anew. It computes nothing itself.
"""

from __future__ import annotations

import numpy as np

from tracker.face.camera import Camera
from tracker.face.expression import REGIONS
from tracker.face.model import FaceModel
from tracker.face.regions import triangle_regions
from tracker.face.topology import GUIDES
from tracker.kernels.backend import choose
from tracker.kernels.reorient import Reorient
from tracker.kernels.resemble import NUMBERS, Body, Look, Memory, Resemble, Resembled, Rules
from tracker.kernels.resemble.room import Seen, seen
from tracker.refine import compare
from tracker.refine.fit import Fit
from tracker.refine.sharpen import DAMPING, ROBUST, RefineSettings
from tracker.refine.terms import SHAPES, LandmarkTerm, PhotometricTerm, PriorTerm
from tracker.regress.guides import guides_at_rest
from tracker.regress.outputs import SLICES
from tracker.regress.regressor import Guess

_GUIDES, _GUIDES_STD = SLICES["guides"], SLICES["guides_log_std"]
_NOBODY = -1


class Resembler:
    """Comparing and sharpening, with memories for `slots` faces. What it saw last is there until the next look."""

    def __init__(
        self, slots: int, model: FaceModel, resemble: Resemble, settings: RefineSettings = RefineSettings(),
        reorient: Reorient | None = None,
    ) -> None:  # fmt: skip
        self._resemble, body = resemble, body_of(model, rules_for(settings.steps))
        self._reorient, self._camera = reorient or choose().reorient, np.zeros(4)
        self.seen: Seen = seen(body.sizes)
        """What the last look left behind: the mesh in the crop, its picture, what each vertex and region showed."""
        self._memories = [Memory(body, self.seen) for _ in range(slots)]
        self._owners, self._rolls_rad = [_NOBODY] * slots, np.zeros(slots)
        self._albedo = np.clip(model.albedo / 255, compare.DIM, compare.BRIGHT).astype(np.float32)
        self._moving = len(model.expression_mm)

    def reset(self) -> None:
        """Forget everybody."""
        self._owners[:] = [_NOBODY] * len(self._owners)

    def identity_of(self, slot: int) -> np.ndarray:
        """float32 [I]: the mean so far of the face in that slot, a view."""
        identity: np.ndarray = self._memories[slot].kept.lasting
        return identity

    def lighting_of(self, slot: int) -> np.ndarray:
        """float32 [9, 3]: the light on the face in that slot, in the axes of the square it was seen in, a view."""
        lighting: np.ndarray = self._memories[slot].kept.lighting[0]
        return lighting

    def light_before(self, camera: Camera, center_px: np.ndarray, slot: int) -> np.ndarray:
        """float32 [9, 3]: the same light in camera axes, the face being at `center_px`; a copy."""
        self._camera[:] = camera.fx, camera.fy, camera.cx, camera.cy
        light = np.empty((1, 9, 3), np.float32)
        rolls, seen = self._rolls_rad[slot : slot + 1], self._memories[slot].kept.lighting
        self._reorient(seen, center_px[None], rolls, self._camera, light)
        return light[0]

    def __call__(self, guess: Guess, fit: Fit, slot: int) -> Fit:
        """The fit after its look; as it was where it is not plausible."""
        if not fit.plausible:
            return fit
        memory = self._memories[slot]
        if self._owners[slot] != fit.track_id:
            self._owners[slot] = fit.track_id
            memory.forget(self._albedo, compare.PRIOR_LOOKS)
        roi, output = guess.roi, guess.output
        self._rolls_rad[slot] = roi.roll_rad
        look = Look(
            guess.crop, output[_GUIDES], output[_GUIDES_STD], fit.expression, fit.expression_std, fit.identity,
            fit.region_confidence, fit.trust, fit.rotation, fit.center_px, fit.scale_px_per_mm,
            (roi.x_px, roi.y_px, roi.side_px, roi.roll_rad),
        )  # fmt: skip
        out = Resembled(np.empty(self._moving, np.float32), np.empty(len(REGIONS), np.float32), np.empty(NUMBERS))
        self._resemble(memory, look, out)
        return fit.seen_as(*out)


def rules_for(steps: int) -> Rules:
    """The stage's constants, as the kernel takes them."""
    photometric, landmarks, prior = PhotometricTerm(), LandmarkTerm(), PriorTerm()
    return Rules(
        before_px=compare.BEFORE_PX, slack_px=compare.SLACK_PX, softness=compare.SOFTNESS, clear=compare.CLEAR,
        covered=compare.COVERED, vouches=compare.VOUCHES, fresh=compare.FRESH, gather_every=compare.GATHER_EVERY,
        light_share=compare.LIGHT_SHARE, least_light=compare.LEAST_LIGHT, dim=compare.DIM, bright=compare.BRIGHT,
        longest_colour=compare.LONGEST_COLOUR, longest_lasting=compare.LONGEST_IDENTITY,
        photometric=photometric.weight, spread=photometric.spread, landmark=landmarks.weight,
        least_std_px=landmarks.least_std_px, rotation_rad=prior.rotation_rad, place_px=prior.place_px,
        log_scale=prior.log_scale, share=prior.share, least_std=prior.least_std, damping=DAMPING, robust=ROBUST,
        steps=steps,
    )  # fmt: skip


def body_of(model: FaceModel, rules: Rules) -> Body:
    """The face model, as the kernel takes it."""
    regions = triangle_regions(model)
    return Body(
        model.mean_mm, model.identity_mm, model.expression_mm, model.triangles, regions,
        compare.WHOLE_SHARE * compare.frontal_areas(model, regions), np.array(SHAPES), np.array(GUIDES),
        guides_at_rest(model)[:, :2], compare.SIDE_PX, rules,
    )  # fmt: skip
