"""Accuracy by group, and how a face looks, on values made by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from tracker.bench import groups  # noqa: E402
from tracker.bench.appearance import Appearance, appearance, luma_of  # noqa: E402


def test_bins_are_half_open_and_the_last_is_closed() -> None:
    masks = groups.binned(np.array([0, 15, 29.9, 30, 90, np.nan]), (0, 15, 30, 90))
    assert {label: mask.tolist() for label, mask in masks.items()} == {
        "0-15": [True, False, False, False, False, False],
        "15-30": [False, True, True, False, False, False],
        "30-90": [False, False, False, True, True, False],
    }
    assert groups.binned(np.array([5.0, 1e9]), (0, 10, np.inf))["10 and more"].tolist() == [False, True]


def test_misses_and_errors_of_a_group() -> None:
    nan = np.nan
    errors = {"ours": np.array([0.1, 0.3, nan, 0.9]), "peer": np.array([0.2, nan, nan, 0.8])}
    members = {"a": np.array([True, True, True, False]), "b": np.array([False, False, False, True]),
               "nobody": np.zeros(4, bool)}  # fmt: skip
    first, second = groups.split("kind", members, errors)
    assert (first.by, first.label, first.faces, first.both) == ("kind", "a", 3, 1)
    ours, peer = first.sides
    assert (ours.who, ours.missed, peer.missed) == ("ours", 1, 2)
    assert ours.nme_found == pytest.approx(0.2) and peer.nme_found == pytest.approx(0.2)
    assert ours.nme_both == pytest.approx(0.1)
    assert (second.faces, second.sides[1].nme_found) == (1, 0.8)


def test_a_face_with_two_notes_is_in_both_groups() -> None:
    masks = groups.noted([("child",), (), ("child", "cut")])
    assert masks["child"].tolist() == [True, False, True]
    assert masks["cut"].tolist() == [False, False, True]
    assert masks["nothing"].tolist() == [False, True, False]
    assert groups.noted([(), ()]) == {}


def test_looks_sort_by_size_brightness_and_sharpness() -> None:
    masks = groups.looks([Appearance(50, 40, 0.1), Appearance(100, 200, 0.5)])
    assert masks["face px"]["0-60"].tolist() == [True, False]
    assert masks["brightness"]["150 and more"].tolist() == [False, True]
    assert masks["sharpness"]["0.4 and more"].tolist() == [False, True]


def _corners(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([[x0, y0], [x1, y1]])


def test_size_and_brightness_are_of_the_box() -> None:
    luma = np.zeros((100, 100), np.uint8)
    luma[20:60, 10:50] = 200
    one = appearance(luma, _corners(10, 20, 50, 60))
    assert (one.size_px, one.brightness) == (40, 200)
    half = appearance(luma, _corners(-30, 20, 30, 60))
    assert half.brightness == pytest.approx(200 * 20 / 30), "only what is in the picture counts"
    outside = appearance(luma, _corners(200, 200, 240, 240))
    assert np.isnan(outside.brightness) and np.isnan(outside.sharpness)


def test_blur_is_less_sharp_and_darkness_is_not() -> None:
    import cv2

    sharp = np.random.default_rng(0).integers(0, 255, (120, 120)).astype(np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2.0))
    box = _corners(10, 10, 110, 110)
    here, there, dark = (appearance(luma, box).sharpness for luma in (sharp, blurred, sharp // 4))
    assert there < 0.5 * here
    assert dark == pytest.approx(here, rel=0.05)


def test_luma_weighs_green_most() -> None:
    assert luma_of(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)).tolist() == [[76, 150, 29]]
