"""`crop_roi` and `crop_luma`: every implementation against the reference, and the laws both must keep."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.crop_roi.cases import CASES, TOLERANCE, Case, px_from_crop

REFERENCE = choose("reference")


@pytest.fixture(scope="module", params=["numba", "reference"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return choose(request.param)


@pytest.fixture(scope="module")
def numba() -> Kernels:
    """One for all cases: scratch that an earlier case left dirty must not show in a later one."""
    return choose("numba")


def grey(height: int, width: int, luma: np.ndarray | int) -> tuple[np.ndarray, ...]:
    """I420 with neutral chroma."""
    half = (-(-height // 2), -(-width // 2))
    plane = np.empty((height, width), np.uint8)
    plane[:] = luma
    return plane, np.full(half, 128, np.uint8), np.full(half, 128, np.uint8)


def crop(kernels: Kernels, planes: tuple[np.ndarray, ...], affine: np.ndarray, size: int, **how: object) -> np.ndarray:
    """RGB of an 8-bit full-range BT.601 picture unless told otherwise; NaN where nothing was written."""
    say = {"layout": "i420", "bit_depth": 8, "matrix": "bt601", "full_range": True, **how}
    out = np.full((3, size, size), np.nan, np.float32)
    kernels.crop_roi(planes, say["layout"], say["bit_depth"], say["matrix"], say["full_range"], affine, out)
    return out


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_crop_roi_equals_reference(numba: Kernels, case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    REFERENCE.crop_roi(*wanted)
    numba.crop_roi(*found)
    np.testing.assert_allclose(found[-1], wanted[-1], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_crop_luma_equals_reference(numba: Kernels, case: Case) -> None:
    wanted, found = case.luma_arguments(), case.luma_arguments()
    REFERENCE.crop_luma(*wanted)
    numba.crop_luma(*found)
    np.testing.assert_allclose(found[-1], wanted[-1], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", [c for c in CASES if c.quarters or c.layout == "nv12"], ids=lambda case: case.name)
def test_strides_do_not_matter(numba: Kernels, case: Case) -> None:
    planes, *picture, affine, out = case.arguments()
    packed, scattered = out.copy(), out.copy()
    numba.crop_roi(planes, *picture, affine, out)
    numba.crop_roi([np.ascontiguousarray(p) for p in planes], *picture, affine, packed)
    # Every second sample of an array twice the size: no axis is contiguous, so the general path is taken.
    numba.crop_roi([np.repeat(np.repeat(p, 2, 0), 2, 1)[::2, ::2] for p in planes], *picture, affine, scattered)
    np.testing.assert_allclose(out, packed, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(scattered, packed)


def test_bgr_read_backwards_is_rgb(numba: Kernels) -> None:
    planes, *picture, affine, wanted = Case("rgb24", layout="rgb24", angle_rad=0.3).arguments()
    found = wanted.copy()
    numba.crop_roi(planes, *picture, affine, wanted)
    numba.crop_roi([np.ascontiguousarray(planes[0][..., ::-1])[..., ::-1]], *picture, affine, found)
    np.testing.assert_array_equal(found, wanted)


def test_read_only_planes_are_taken(numba: Kernels) -> None:
    planes = grey(40, 40, 77)
    for plane in planes:
        plane.flags.writeable = False
    np.testing.assert_allclose(crop(numba, planes, px_from_crop((20, 20), 10, 8), 8), 77, atol=1e-3)


@pytest.mark.parametrize("side_px", [3.0, 60.0, 111.0, 150.0])
@pytest.mark.parametrize("angle_rad", [0.0, 0.3, 2.0])
def test_constant_stays_constant(kernels: Kernels, side_px: float, angle_rad: float) -> None:
    found = crop(kernels, grey(300, 301, 200), px_from_crop((150, 150), side_px, 24, angle_rad), 24)
    np.testing.assert_allclose(found, 200, rtol=0, atol=1e-3)


@pytest.mark.parametrize("side_px", [10.0, 24.0, 40.0, 66.0, 100.0])
@pytest.mark.parametrize("angle_rad", [0.0, 0.5, -1.3])
def test_ramp_is_reproduced(kernels: Kernels, side_px: float, angle_rad: float) -> None:
    """Box means and bilinear blends of a linear picture are exact; this pins the pixel-centre convention."""
    row, column = np.mgrid[:200, :200]
    affine = px_from_crop((100, 100), side_px, 24, angle_rad)
    j, i = np.meshgrid(np.arange(24) + 0.5, np.arange(24) + 0.5)
    x, y = np.einsum("ab,bhw->ahw", affine, np.stack([j, i, np.ones_like(i)]))
    planes = ((column + 20).astype(np.uint8), *(np.full((100, 100), 128, np.uint8),) * 2)
    np.testing.assert_allclose(crop(kernels, planes, affine, 24)[1], x - 0.5 + 20, rtol=0, atol=TOLERANCE)
    planes = ((row + 20).astype(np.uint8), *planes[1:])
    np.testing.assert_allclose(crop(kernels, planes, affine, 24)[1], y - 0.5 + 20, rtol=0, atol=TOLERANCE)


def test_chroma_ramp_sits_in_the_middle_of_its_pixels(kernels: Kernels) -> None:
    """Chroma sample c covers luma 2c and 2c + 1, so at picture x its value is that of c = x / 2 - 0.5."""
    chroma = np.tile(np.arange(78, 178, dtype=np.uint8), (100, 1))
    planes = (np.full((200, 200), 100, np.uint8), np.full((100, 100), 128, np.uint8), chroma)
    found = crop(kernels, planes, px_from_crop((100, 100), 40, 24), 24)
    x = 80 + (np.arange(24) + 0.5) * 40 / 24
    np.testing.assert_allclose(found[0, 5], np.clip(100 + 1.402 * (x / 2 - 0.5 + 78 - 128), 0, 255), atol=0.05)


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("layout", ["i420", "nv12", "rgb24"])
def test_turning_the_picture_turns_the_crop(kernels: Kernels, quarters: int, layout: str) -> None:
    """Exact where the sides are multiples of the block, so that blocks fall on blocks."""
    case = Case("law", (240, 240), (100, 130), 180, 60, layout=layout)
    wanted = crop(kernels, case.planes(), case.px_from_crop(), 60, layout=layout)
    center = [(100, 130), (130, 140), (140, 110), (110, 100)][quarters]
    turned = tuple(np.rot90(plane, quarters) for plane in case.planes())
    found = crop(kernels, turned, px_from_crop(center, 180, 60), 60, layout=layout)
    np.testing.assert_allclose(found, np.rot90(wanted, quarters, (1, 2)), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("angle_rad", [0.0, 0.2, 0.8])
def test_shrunk_checkerboard_is_grey(kernels: Kernels, angle_rad: float) -> None:
    row, column = np.mgrid[:200, :200]
    planes = grey(200, 200, ((row + column) % 2 * 255).astype(np.uint8))
    found = crop(kernels, planes, px_from_crop((100, 100), 100, 25, angle_rad), 25)
    assert abs(found - 127.5).max() < 3


def test_outside_is_black_in_any_range(kernels: Kernels) -> None:
    for full_range in (False, True):
        found = crop(kernels, grey(40, 40, 180), px_from_crop((0, 20), 20, 20), 20, full_range=full_range)
        assert (found[:, :, :9] == 0).all()
        assert (found[:, :, 11:] > 150).all()


@pytest.mark.parametrize("matrix,red,blue", [("bt601", 0.299, 0.114), ("bt709", 0.2126, 0.0722),
                                             ("bt2020", 0.2627, 0.0593)])  # fmt: skip
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("full_range", [False, True])
def test_colours_come_back(
    kernels: Kernels, matrix: str, red: float, blue: float, bit_depth: int, full_range: bool
) -> None:
    """RGB made into YUV by the textbook's formulas, rounded to samples, is read back within the rounding."""
    for rgb in ([255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [90, 140, 200]):
        r, g, b = np.array(rgb) / 255
        luma = red * r + (1 - red - blue) * g + blue * b
        cb, cr = (b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))
        unit = 2 ** (bit_depth - 8)
        if full_range:
            peak = 256 * unit - 1
            samples = [luma * peak, cb * peak + 128 * unit, cr * peak + 128 * unit]
        else:
            samples = [(16 + 219 * luma) * unit, (128 + 224 * cb) * unit, (128 + 224 * cr) * unit]
        kind = np.uint8 if bit_depth == 8 else np.uint16
        values = [round(min(s, 256 * unit - 1)) for s in samples]
        planes = tuple(np.full((30 - 15 * (n > 0),) * 2, v, kind) for n, v in enumerate(values))
        how = {"bit_depth": bit_depth, "matrix": matrix, "full_range": full_range}
        found = crop(kernels, planes, px_from_crop((15, 15), 8, 4), 4, **how)
        np.testing.assert_allclose(found.mean((1, 2)), rgb, atol=2.0 / unit + 0.1)
        neutral = np.full((4, 4), np.nan, np.float32)
        kernels.crop_luma(planes[0], bit_depth, full_range, px_from_crop((15, 15), 8, 4), neutral)
        np.testing.assert_allclose(neutral, 255 * luma, atol=0.8 / unit)


def test_luma_of_rgb_weighs_as_bt601(kernels: Kernels) -> None:
    plane = np.empty((30, 30, 3), np.uint8)
    plane[:] = (200, 100, 50)
    out = np.full((6, 9), np.nan, np.float32)
    kernels.crop_luma(plane, 8, False, px_from_crop((15, 15), 9, 9), out)
    np.testing.assert_allclose(out, 0.299 * 200 + 0.587 * 100 + 0.114 * 50, atol=1e-3)


def test_no_memory_is_taken_after_the_first_call(numba: Kernels) -> None:
    import tracemalloc

    arguments = Case("memory", (960, 540), (480, 270), 400, 128, 0.2).arguments()
    numba.crop_roi(*arguments)
    tracemalloc.start()
    try:
        numba.crop_roi(*arguments)
        assert tracemalloc.get_traced_memory()[1] < 8_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("change,word", [
    ({"layout": "yuyv422"}, "yuyv422"), ({"matrix": "bt470"}, "bt470"), ({"bit_depth": 12}, "12"),
    ({"bit_depth": 10}, "uint16"), ({"layout": "nv12"}, "planes"), ({"layout": "rgb24"}, "planes"),
])  # fmt: skip
def test_bad_pictures_are_named(numba: Kernels, change: dict[str, object], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        crop(numba, grey(20, 20, 0), px_from_crop((10, 10), 8, 8), 8, **change)


@pytest.mark.parametrize("plane", [1, 2])
def test_chroma_of_another_size_is_named(numba: Kernels, plane: int) -> None:
    planes = list(grey(21, 20, 0))
    planes[plane] = planes[plane][:-1]
    with pytest.raises(SettingsError, match=r"chroma of .* beside Y of .*; it must be"):
        crop(numba, planes, px_from_crop((10, 10), 8, 8), 8)


def test_bad_maps_and_outs_are_named(numba: Kernels) -> None:
    plane, good, out = grey(20, 20, 0)[0], px_from_crop((10, 10), 8, 8), np.empty((8, 8), np.float32)
    with pytest.raises(SettingsError, match="not finite"):
        numba.crop_luma(plane, 8, True, good * np.nan, out)
    with pytest.raises(SettingsError, match="float64"):
        numba.crop_luma(plane, 8, True, good.astype(np.float32), out)
    for bad in (out.astype(np.float64), out[:, ::2], np.empty((0, 8), np.float32)):
        with pytest.raises(SettingsError, match="out is"):
            numba.crop_luma(plane, 8, True, good, bad)
