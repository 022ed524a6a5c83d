"""`crop_nv12`: every implementation against the reference, the CUDA one's source run on this processor; and that a
crop is the one `crop_roi` takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tracker.errors import BackendUnavailable, SettingsError
from tracker.kernels.backend import operator
from tracker.kernels.crop_nv12 import CropNv12, Crops, Nv12
from tracker.kernels.crop_nv12.cases import CASES, TOLERANCE, UNROUNDED, Case, difference
from tracker.kernels.crop_nv12.reference import unrounded

REFERENCE = operator("crop_nv12", "reference")[0]
BY_NAME = {case.name: case for case in CASES}


@pytest.fixture(scope="module")
def numba() -> CropNv12:
    return operator("crop_nv12", "numba")[0]


def on(cupy: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments on what stands in for a device, or on one; rows of the picture stay padded where it can hold them."""
    picture, maps, crops = arguments
    planes = [cupy.asarray(plane, strides=plane.strides) if hasattr(cupy, "order") else cupy.asarray(plane)
              for plane in (picture.luma, picture.chroma)]  # fmt: skip
    there = replace(picture, luma=planes[0], chroma=planes[1])
    rgb, tensor = (None if out is None else cupy.asarray(out) for out in (crops.rgb, crops.tensor))
    return there, cupy.asarray(maps), replace(crops, rgb=rgb, tensor=tensor)


def back(cupy: Any, crops: Crops) -> Crops:
    return replace(crops, rgb=cupy.asnumpy(crops.rgb), tensor=cupy.asnumpy(crops.tensor))


def assert_equals_reference(found: Crops, case: Case) -> None:
    """To the unrounded reference, so that a value near a half may be rounded either way and no other."""
    wanted = case.arguments()
    REFERENCE(*wanted)
    assert difference((found,), wanted) <= TOLERANCE
    value = unrounded(*wanted[:2], case.side_px).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found.rgb, value, rtol=0, atol=0.5 + UNROUNDED)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_numba_equals_reference(numba: CropNv12, case: Case) -> None:
    found = case.arguments()
    numba(*found)
    assert_equals_reference(found[-1], case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cuda_source_equals_reference(cuda_on_cpu: Any, case: Case) -> None:
    found = on(cuda_on_cpu, case.arguments())
    operator("crop_nv12", "cupy")[0](*found)
    assert_equals_reference(back(cuda_on_cpu, found[-1]), case)


@pytest.mark.parametrize("name", ["shrink_7x", "crop_of_odd_tiles", "at_the_edges"])
def test_the_order_of_threads_does_not_show(cuda_on_cpu: Any, name: str) -> None:
    crop, bits = operator("crop_nv12", "cupy")[0], set()
    for order in (0, 1, 2):
        cuda_on_cpu.order = order
        found = on(cuda_on_cpu, BY_NAME[name].arguments())
        crop(*found)
        bits.add(found[-1].rgb.array.tobytes() + found[-1].tensor.array.tobytes())
    assert len(bits) == 1


def test_a_device_equals_reference_and_this_processor(request: pytest.FixtureRequest) -> None:
    """The latter to the bit, where there is a compiler for it."""
    try:
        crop = operator("crop_nv12", "cupy")[0]
    except BackendUnavailable as error:
        pytest.skip(str(error))
    import cupy

    answers = {}
    for case in CASES:
        found = on(cupy, case.arguments())
        crop(*found)
        answers[case] = back(cupy, found[-1])
        assert_equals_reference(answers[case], case)
    stand_in = request.getfixturevalue("cuda_on_cpu")
    here = operator("crop_nv12", "cupy")[0]
    for case, answer in answers.items():
        found = on(stand_in, case.arguments())
        here(*found)
        for name in ("rgb", "tensor"):
            np.testing.assert_array_equal(getattr(found[-1], name).array, getattr(answer, name), case.name)


@pytest.mark.parametrize("affine", [
    [[20, 5, 100], [5, 1.3, 40]], [[0.2, 90, -300], [2.5, 0, 30]], [[0, 0, 7.3], [0, 0, 9.1]],
    [[-6, 0, 400], [0, 6, 0]],
])  # fmt: skip
def test_maps_that_are_no_square_are_taken(cuda_on_cpu: Any, numba: CropNv12, affine: list[list[float]]) -> None:
    """Sheared ones need more blocks than shared memory has room for; a map of one point has no scale."""
    case, maps = BY_NAME["three_faces"], np.array([affine] * 3, np.float64)
    picture, _, crops = case.arguments()
    value = unrounded(picture, maps, case.side_px).transpose(0, 2, 3, 1)
    numba(picture, maps, crops)
    np.testing.assert_allclose(crops.rgb, value, rtol=0, atol=0.5 + 2 * UNROUNDED)
    found = on(cuda_on_cpu, (picture, maps, crops))
    operator("crop_nv12", "cupy")[0](*found)
    np.testing.assert_allclose(found[-1].rgb.array, value, rtol=0, atol=0.5 + UNROUNDED)


def test_a_crop_is_the_one_of_crop_roi(numba: CropNv12) -> None:
    case = BY_NAME["bt601_full"]
    picture, maps, crops = case.arguments()
    numba(picture, maps, crops)
    single = np.empty((3, case.side_px, case.side_px), np.float32)
    crop_roi = operator("crop_roi", "numba")[0]
    for face, affine in enumerate(maps):
        crop_roi((picture.luma, picture.chroma), "nv12", 8, "bt601", True, affine, single)
        np.testing.assert_array_equal(crops.rgb[face], np.rint(single).transpose(1, 2, 0))


@pytest.mark.parametrize("wanted", ["rgb", "tensor"])
def test_either_output_may_be_left_out(numba: CropNv12, cuda_on_cpu: Any, wanted: str) -> None:
    case = BY_NAME["imagenet"]
    both, one = case.arguments(), case.arguments()
    other = "tensor" if wanted == "rgb" else "rgb"
    picture, maps, crops = one
    numba(*both)
    numba(picture, maps, replace(crops, **{other: None}))
    np.testing.assert_array_equal(getattr(crops, wanted), getattr(both[-1], wanted))
    found = on(cuda_on_cpu, (picture, maps, replace(case.arguments()[-1], **{other: None})))
    operator("crop_nv12", "cupy")[0](*found)
    assert difference_of_one(getattr(found[-1], wanted).array, getattr(both[-1], wanted)) <= 1


def difference_of_one(found: np.ndarray, wanted: np.ndarray) -> float:
    """In 8-bit levels for bytes; for half precision in hundredths."""
    return float(np.abs(found.astype(float) - wanted).max()) * (1 if found.dtype == np.uint8 else 100)


def test_colours_come_out_as_the_standards_say(cuda_on_cpu: Any) -> None:
    """Full red in BT.709 limited range is Y 63, U 102, V 240 (rounded); white is Y 235."""
    crop = operator("crop_nv12", "cupy")[0]
    for y, u, v, wanted in ((63, 102, 240, (255, 0, 0)), (235, 128, 128, (255, 255, 255)), (16, 128, 128, (0, 0, 0))):
        luma, chroma = np.full((40, 60), y, np.uint8), np.empty((20, 30, 2), np.uint8)
        chroma[:] = u, v
        crops = Crops(np.zeros((1, 8, 8, 3), np.uint8), scale=(1, 1, 1))
        found = on(cuda_on_cpu, (Nv12(luma, chroma), Case("flat", ((30, 20, 16, 0.4),), 8).maps(), crops))
        crop(*found)
        np.testing.assert_allclose(found[-1].rgb.array.reshape(-1, 3).mean(0), wanted, atol=1.5)


def test_on_a_device_a_map_that_is_not_finite_is_black(cuda_on_cpu: Any, numba: CropNv12) -> None:
    picture, maps, crops = BY_NAME["three_faces"].arguments()
    maps[1, 0, 2] = np.nan
    with pytest.raises(SettingsError, match="of face 1 is not finite"):
        numba(picture, maps, crops)
    found = on(cuda_on_cpu, (picture, maps, crops))
    operator("crop_nv12", "cupy")[0](*found)
    rgb = found[-1].rgb.array
    assert (rgb[1] == 0).all() and (rgb[0] > 0).any() and (rgb[2] > 0).any()


def test_no_memory_is_taken_after_the_first_call(numba: CropNv12) -> None:
    import tracemalloc

    arguments = BY_NAME["three_faces"].arguments()
    numba(*arguments)
    tracemalloc.start()
    try:
        numba(*arguments)
        # Numpy converts floats to bytes in chunks of 8,192 numbers.
        assert tracemalloc.get_traced_memory()[1] < 120_000
    finally:
        tracemalloc.stop()


def test_bad_pictures_and_crops_are_named(cuda_on_cpu: Any) -> None:
    picture, maps, crops = BY_NAME["three_faces"].arguments()
    for change, word in (
        ({"luma": picture.luma[:, ::2]}, "side by side"), ({"chroma": picture.chroma[:-1]}, "chroma is uint8"),
        ({"luma": picture.luma.astype(np.uint16)}, "luma is uint16"), ({"luma": picture.luma[::-1]}, "side by side"),
        ({"matrix": "bt470"}, "bt470"), ({"luma": cuda_on_cpu.asarray(picture.luma)}, "different places"),
        ({"luma": picture.chroma}, r"luma of shape \[135, 240, 2\]"),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=word):
            replace(picture, **change)
    for change, word in (
        ({"rgb": None, "tensor": None}, "neither"), ({"rgb": crops.rgb[:2]}, "tensor is numpy float16"),
        ({"tensor": crops.tensor.astype(np.float32)}, "float16"), ({"scale": (1, 1)}, "3 numbers"),
        ({"shift": (0, np.nan, 0)}, "three finite"),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=word):
            replace(crops, **change)
    with pytest.raises(SettingsError, match=r"px_from_crop is numpy float64 \[2, 2, 3\]"):
        REFERENCE(picture, maps[:2], crops)
    with pytest.raises(SettingsError, match="it takes numpy arrays"):
        REFERENCE(*on(cuda_on_cpu, (picture, maps, crops)))
    with pytest.raises(SettingsError, match=r"Nv12\(480 x 270, bt709, limited range\) and Crops\(3 of 40 px"):
        operator("crop_nv12", "cupy")[0](picture, maps, crops)
