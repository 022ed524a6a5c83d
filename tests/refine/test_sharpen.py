"""The refining steps: derivatives are what they say, and a face that is off moves to where its pixels are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tracker.detect.roi import Roi
from tracker.errors import SettingsError
from tracker.face.model import FaceModel
from tracker.face.pose import exp_so3
from tracker.face.topology import GUIDES, VERTICES
from tracker.kernels.backend import choose
from tracker.kernels.shade import Shaded, Surface
from tracker.refine.compare import SIDE_PX
from tracker.refine.fit import Fit, Refiner
from tracker.refine.resembler import Resembler
from tracker.refine.sharpen import RefineSettings
from tracker.refine.terms import SHAPES
from tracker.regress.outputs import CROP_PX, ROI_SIDE_MM, SLICES, WIDTH
from tracker.regress.regressor import Guess

MODEL, ROI = FaceModel.load(), Roi(300.0, 200.0, 2 * ROI_SIDE_MM, 0.3)
UPRIGHT = exp_so3(np.array([0, 0, -ROI.roll_rad]))
"""From the picture to the square."""


def mesh_px(fit: Fit) -> np.ndarray:
    """float64 [478, 2]: the face of a fit in the picture."""
    mesh = MODEL.mean_mm + np.tensordot(fit.expression, MODEL.expression_mm, 1)
    return (fit.scale_px_per_mm * mesh @ fit.rotation.T)[:, :2] + fit.center_px


def a_fit(crop: np.ndarray | None = None, guides_log_std: float = -4.0) -> tuple[Guess, Fit]:
    """What a network would say about a neutral head upright in the middle of `ROI`."""
    output = np.zeros(WIDTH, np.float32)
    output[SLICES["rotation"]] = [1, 0, 0, 0, 1, 0]
    for name in SLICES:
        if name.endswith("log_std"):
            output[SLICES[name]] = -3
    output[SLICES["guides_log_std"]] = guides_log_std
    guess = Guess(ROI, np.zeros((3, CROP_PX, CROP_PX), np.float32) if crop is None else crop, output, 0.99)
    fit = Refiner(1, MODEL)(guess, 0)
    return guess, replace(fit, expression=fit.expression.copy(), region_confidence=fit.region_confidence.copy())


def photograph(fit: Fit) -> np.ndarray:
    """float32 [3, 128, 128]: the mean face of that fit as the crop would show it, under a light from the side."""
    kernels, zoom = choose(), CROP_PX / ROI.side_px
    rotation, center_px = UPRIGHT @ fit.rotation, zoom * UPRIGHT[:2, :2] @ (fit.center_px - (ROI.x_px, ROI.y_px))
    center_px, scale = center_px + CROP_PX / 2, zoom * fit.scale_px_per_mm
    mesh = MODEL.mean_mm + np.tensordot(fit.expression, MODEL.expression_mm, 1)
    vertices = (scale * mesh @ rotation.T).astype(np.float32)[None]
    vertices[0, :, :2] += center_px.astype(np.float32)
    vertices[0, :, 2] += 500
    normals = np.empty_like(vertices)
    kernels.normals(vertices, MODEL.triangles, normals)
    lighting = np.zeros((1, 9, 3), np.float32)
    lighting[0, 0], lighting[0, 2], lighting[0, 3] = 2.4, -0.6, 0.3
    ids, depth = np.empty((1, CROP_PX, CROP_PX), np.int32), np.empty((1, CROP_PX, CROP_PX), np.float32)
    kernels.rasterize(vertices, MODEL.triangles, ids, depth)
    surface = Surface(
        vertices, MODEL.triangles, normals, (MODEL.albedo / 255).astype(np.float32)[None], lighting,
        np.zeros(len(MODEL.triangles), np.int32),
    )  # fmt: skip
    image = np.zeros((1, CROP_PX, CROP_PX, 3), np.float32)
    out = Shaded(np.empty_like(vertices), np.zeros((1, 1), np.float32), np.zeros((1, 1), np.int32), image)
    kernels.shade(surface, ids, np.zeros((1, CROP_PX, CROP_PX, 3), np.uint8), 0.1, out)
    return np.ascontiguousarray((np.clip(image[0], 0, 1) * 255).transpose(2, 0, 1))


def sharpened(guess: Guess, fit: Fit, steps: int, known: Fit | None = None) -> Fit:
    """After some looks at the face as `known`, and one as `fit`."""
    resembler = Resembler(1, MODEL, choose().resemble, RefineSettings(steps))
    for look in (*[known or fit] * 8, fit):
        seen = resembler(guess, look, 0)
    return seen


def test_a_step_moves_the_guides_as_the_rows_say() -> None:
    guess, fit = a_fit(guides_log_std=-4.0)
    fit.expression[list(SHAPES)] = 0.3
    turn = exp_so3(np.array([0.01, 0.02, -0.02]))
    aside = replace(fit, center_px=fit.center_px + [3.0, -2.0], rotation=turn @ fit.rotation)
    resembler = Resembler(1, MODEL, choose().resemble)
    after = resembler(guess, aside, 0)
    rows, step = resembler.seen.jacobian[0, VERTICES:] * np.float32(np.exp(-4.0) * SIDE_PX), resembler.seen.step[0]
    back = UPRIGHT[:2, :2].T * (ROI.side_px / SIDE_PX)
    change, foreseen = (mesh_px(after) - mesh_px(aside))[list(GUIDES)], (rows @ step).reshape(-1, 2) @ back.T
    assert np.abs(step[:6]).min() > 1e-5 and np.abs(step[6:]).max() > 1e-3, "all of it moves"
    assert np.allclose(change, foreseen, atol=0.03 * np.abs(change).max())


def test_without_a_step_the_pose_stays_to_the_bit() -> None:
    guess, fit = a_fit()
    after = sharpened(guess, fit, 0)
    assert np.array_equal(after.rotation, fit.rotation) and np.array_equal(after.center_px, fit.center_px)
    assert np.array_equal(after.expression, fit.expression) and after.scale_px_per_mm == fit.scale_px_per_mm


def test_a_shifted_and_turned_face_goes_back_to_its_pixels() -> None:
    _, true = a_fit()
    guess, _ = a_fit(photograph(true), guides_log_std=0.0)
    turn = exp_so3(np.array([0.02, -0.03, 0.02]))
    off = replace(true, rotation=turn @ true.rotation, center_px=true.center_px + [5.0, -4.0])
    before = np.abs(mesh_px(off) - mesh_px(true)).mean()
    after = np.abs(mesh_px(sharpened(guess, off, 2, known=true)) - mesh_px(true)).mean()
    assert after < 0.6 * before, (before, after)


def test_guides_pull_where_they_are_sure() -> None:
    guess, fit = a_fit(guides_log_std=-6.0)
    aside = replace(fit, center_px=fit.center_px + [4.0, 0.0])
    before, after = (np.abs(mesh_px(one) - mesh_px(fit)).mean() for one in (aside, sharpened(guess, aside, 2)))
    assert after < 0.7 * before


def test_a_true_face_stays() -> None:
    _, true = a_fit()
    guess, _ = a_fit(photograph(true))
    assert np.abs(mesh_px(sharpened(guess, true, 1)) - mesh_px(true)).mean() < 0.5, "px of a 448 px square"


def test_coefficients_stay_within_bounds_and_the_first_fit_is_untouched() -> None:
    guess, fit = a_fit(np.random.default_rng(0).uniform(0, 255, (3, CROP_PX, CROP_PX)).astype(np.float32), -6.0)
    guess.output[SLICES["guides"]] = np.random.default_rng(1).normal(0, 0.05, 3 * len(GUIDES))
    before = fit.expression.copy()
    after = sharpened(guess, fit, 2)
    assert after.expression.min() >= 0 and after.expression.max() <= 1
    assert (fit.expression == before).all() and (after.expression != before).any()
    assert np.allclose(after.rotation @ after.rotation.T, np.eye(3), atol=1e-6)


@pytest.mark.parametrize("steps", [-1, 3])
def test_other_numbers_of_steps_are_named(steps: int) -> None:
    with pytest.raises(SettingsError, match=f"refine steps {steps}; give 0 to 2"):
        RefineSettings(steps)
