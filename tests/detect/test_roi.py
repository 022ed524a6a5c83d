"""Squares, boxes and what counts as one face."""

import math

import numpy as np

from tracker.detect.detector import View, distinct, same_face, tiles, whole
from tracker.detect.roi import Detection, Roi, overlap


def test_the_middle_of_the_crop_is_the_middle_of_the_square():
    roi = Roi(100.0, 50.0, 64.0, 0.7)
    matrix = roi.px_from_crop(128)
    assert np.allclose(matrix @ [64, 64, 1], [100, 50])
    assert np.isclose(abs(np.linalg.det(matrix[:, :2])), (64 / 128) ** 2)


def test_roll_turns_the_crops_x_axis_clockwise_on_screen():
    right = Roi(0, 0, 128, math.pi / 2).px_from_crop(128) @ [1, 0, 0]
    assert np.allclose(right, [0, 1])


def test_the_box_is_that_of_a_mesh_in_the_square():
    assert np.allclose(Roi(100.0, 50.0, 100.0, 0.0).box_px(), [69.5, 14.5, 130.5, 85.5])
    assert np.allclose(Roi(100.0, 50.0, 100.0, -math.pi / 2).box_px(), [64.5, 19.5, 135.5, 80.5]), "lying down"


def test_overlap_by_hand():
    a = np.array([0, 0, 2, 2], float)
    assert overlap(a, a) == 1.0
    assert np.isclose(overlap(a, np.array([1, 0, 3, 2], float)), 2 / 6)
    assert np.isclose(overlap(np.array([1, 1, 3, 3], float), a), 1 / 7)
    assert overlap(a, np.array([2, 0, 4, 2], float)) == overlap(a, np.array([9, 9, 10, 10], float)) == 0.0


def test_views_cover_every_pixel_of_any_aspect():
    for width, height in ((1920, 1080), (540, 1080), (3000, 1000), (500, 500), (641, 480)):
        covered = np.zeros((height, width), bool)
        for view in tiles(width, height):
            x0, y0 = math.floor(view.x_px + 1e-6), math.floor(view.y_px + 1e-6)
            covered[
                max(0, y0) : math.ceil(view.y_px + view.side_px), max(0, x0) : math.ceil(view.x_px + view.side_px)
            ] = True
        assert covered.all(), (width, height)
        assert len(tiles(width, height)) <= 9


def test_the_whole_frame_is_letterboxed():
    view = whole(200, 100)
    assert view == View(0.0, -50.0, 200.0)
    assert np.allclose(view.px_from_view() @ [128, 128, 1], [100, 50])


def test_distinct_keeps_the_best_of_overlapping_ones():
    one, same, other = Roi(50, 50, 40, 0), Roi(53, 50, 42, 0), Roi(150, 50, 40, 0)
    kept = distinct([Detection(same, 0.6), Detection(one, 0.9), Detection(other, 0.5)])
    assert [d.score for d in kept] == [0.9, 0.5]
    assert same_face(one, same) and not same_face(one, other)
