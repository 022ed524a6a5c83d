"""`resemble`: every implementation against the reference, and what it is the joined form of."""

from __future__ import annotations

import numpy as np
import pytest

from tracker.errors import SettingsError
from tracker.kernels.backend import Kernels, choose
from tracker.kernels.resemble import LOOKS, Body, Memory
from tracker.kernels.resemble.cases import BENCH_CASES, CASES, TOLERANCE, Case, difference, filled


@pytest.fixture(scope="module", params=["numba", "reference"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return choose(request.param)


@pytest.mark.parametrize("case", (*CASES, *BENCH_CASES), ids=lambda case: case.name)
def test_equals_reference(case: Case) -> None:
    wanted, found = case.arguments(), case.arguments()
    choose("reference").resemble(*wanted)
    choose("numba").resemble(*found)
    assert difference(found, wanted) <= TOLERANCE
    np.testing.assert_allclose(found[0].kept.tally, wanted[0].kept.tally, rtol=1e-12)
    assert np.array_equal(found[0].seen.ids, wanted[0].seen.ids) and filled(found)[case.moving] > 0


def test_the_cases_are_of_every_kind() -> None:
    """Some regions fit and some hardly do, and a step moves."""
    seen = {case.name: case.arguments() for case in CASES}
    for arguments in seen.values():
        choose("numba").resemble(*arguments)
    confidence = np.concatenate([out.confidence for *_, out in seen.values()])
    assert confidence.min() < 0.35 and confidence.max() > 0.9
    pose, before = seen["far_off"][-1].pose, seen["far_off"][1]
    assert np.abs(pose[9:11] - before.center_px).min() > 0.5 and abs(pose[11] - before.scale) > 1e-4


@pytest.mark.parametrize("case", [CASES[0], CASES[1], CASES[3]], ids=lambda case: case.name)
def test_it_is_its_operators_one_after_the_other_to_the_bit(case: Case) -> None:
    kernels = choose("numba")
    memory, look, _ = arguments = case.arguments()
    kernels.resemble(*arguments)
    body, seen = memory.body, memory.seen
    mesh, vertices, normals = (np.empty_like(array) for array in (seen.mesh, seen.vertices, seen.normals))
    kernels.morph(memory.kept.rest, body.known.moving, look.moving, mesh)
    assert np.array_equal(mesh, seen.mesh)
    ids, depth, picture = (np.empty_like(array) for array in (seen.ids, seen.depth, seen.picture))
    kernels.halve(look.picture, picture[0])
    kernels.normals(seen.vertices, body.known.triangles, normals)
    kernels.rasterize(seen.vertices, body.known.triangles, ids, depth)
    for mine, theirs in ((picture, seen.picture), (normals, seen.normals), (ids, seen.ids), (depth, seen.depth)):
        assert np.array_equal(mine, theirs)
    zoom = body.sizes.side / look.square[2]
    center_px = np.array([body.sizes.side / 2 + zoom * 1.0 * (np.cos(0.3) + np.sin(0.3)),
                          body.sizes.side / 2 + zoom * 1.0 * (np.cos(0.3) - np.sin(0.3))])  # fmt: skip
    kernels.project(mesh, np.eye(3), look.scale * zoom, center_px, vertices[0])
    vertices[0, :, 2] += body.rules.before_px
    np.testing.assert_allclose(vertices, seen.vertices, atol=1e-4)


def test_a_settled_body_is_seen_alike_again_and_again(kernels: Kernels) -> None:
    """Which the bench relies on."""
    arguments = BENCH_CASES[0].arguments()
    kernels.resemble(*arguments)
    first = filled(arguments)
    for _ in range(4):
        kernels.resemble(*arguments)
    assert np.array_equal(filled(arguments), first)


def test_what_lies_before_a_region_takes_its_confidence(kernels: Kernels) -> None:
    clear, covered = CASES[0].arguments(), CASES[0].arguments()
    kernels.resemble(*clear)
    covered[1].picture[:, :56] = 0
    kernels.resemble(*covered)
    share = covered[-1].confidence / clear[-1].confidence
    assert share[0] < 0.1 and share[-1] > 0.9


def test_a_new_body_takes_on_what_it_looks_like(kernels: Kernels) -> None:
    """Its colours move towards what is seen of it until they hardly move any more."""
    memory, look, out = CASES[1].arguments()
    apart = []
    for _ in range(round(memory.body.rules.fresh) + 5):
        kernels.resemble(memory, look, out)
        apart.append(float(memory.seen.error.sum() / memory.seen.pixels.sum()))
    assert apart[-1] < 0.3 * apart[0] and memory.kept.tally[LOOKS] == len(apart)
    assert memory.kept.albedo.min() >= np.float32(memory.body.rules.dim)


def test_a_known_body_gathers_only_at_every_so_many_looks(kernels: Kernels) -> None:
    memory, look, out = CASES[0].arguments()
    changed = []
    for _ in range(8):
        before = memory.kept.albedo.copy()
        kernels.resemble(memory, look, out)
        changed.append(not np.array_equal(memory.kept.albedo, before))
    assert changed == [True, False, False, False] * 2


def test_without_steps_pose_and_coefficients_stay(kernels: Kernels) -> None:
    _, look, out = arguments = Case("still", steps=0).arguments()
    kernels.resemble(*arguments)
    assert np.array_equal(out.moving, look.moving) and np.array_equal(out.pose[:9], look.rotation.reshape(-1))
    assert np.array_equal(out.pose[9:11], look.center_px) and out.pose[11] == look.scale


def test_where_nothing_holds_a_direction_it_stays_too(kernels: Kernels) -> None:
    memory, look, out = arguments = CASES[0].arguments()
    look.std[:] = np.nan
    kernels.resemble(*arguments)
    assert not memory.seen.solved[0] and np.array_equal(out.moving, look.moving)
    assert np.array_equal(out.pose[:9], look.rotation.reshape(-1)) and np.isfinite(out.pose).all()


def test_the_square_may_be_turned_and_moved(kernels: Kernels) -> None:
    """The same picture cut from elsewhere: the body moves along."""
    here, there = CASES[0].arguments(), list(CASES[0].arguments())
    kernels.resemble(*here)
    x, y, side_px, roll = here[1].square
    c, s = np.cos(0.5), np.sin(0.5)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    moved = 2 * turn[:2, :2] @ (here[1].center_px - (x, y)) + (50, 60)
    there[1] = here[1]._replace(
        square=(50.0, 60.0, 2 * side_px, roll + 0.5), rotation=turn @ here[1].rotation, center_px=moved,
        scale=2 * here[1].scale,
    )  # fmt: skip
    kernels.resemble(*there)
    pose, wanted = there[-1].pose, here[-1].pose
    np.testing.assert_allclose(pose[:9].reshape(3, 3), turn @ wanted[:9].reshape(3, 3), atol=1e-6)
    np.testing.assert_allclose(pose[9:11], 2 * turn[:2, :2] @ (wanted[9:11] - (x, y)) + (50, 60), atol=1e-4)
    assert pose[11] == pytest.approx(2 * wanted[11]) and pose[12] == pytest.approx(wanted[12])


def test_bad_input_is_named(kernels: Kernels) -> None:
    memory, look, out = CASES[0].arguments()
    with pytest.raises(SettingsError, match=r"picture is numpy float32 \[3, 64, 256\]; it must be .* \[3, 128, 128\]"):
        kernels.resemble(memory, look._replace(picture=look.picture.reshape(3, 64, 256)), out)
    with pytest.raises(SettingsError, match="square is .*; it must be 4 numbers"):
        kernels.resemble(memory, look._replace(square=look.square[:3]), out)
    with pytest.raises(SettingsError, match="px beyond the picture and were not drawn; look at a square nearer"):
        kernels.resemble(memory, look._replace(center_px=np.array([9e3, 0.0])), out)


def test_room_for_another_body_is_refused() -> None:
    """Compiled code would write beyond it."""
    memory, small = CASES[0].arguments()[0], CASES[7].arguments()[0]
    assert Memory(memory.body, memory.seen).seen is memory.seen
    with pytest.raises(SettingsError, match=r"mesh is numpy float32 \[\d+, 3\]; it must be"):
        Memory(memory.body, small.seen)
    with pytest.raises(SettingsError, match=r"albedo has shape \[5, 3\]"):
        memory.forget(np.zeros((5, 3)), 1.0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mean": np.zeros((4, 2), np.float32)}, "mean is numpy"), ({"moving": None}, "moving is NoneType"),
        ({"whole": np.zeros((5, 0))}, "whole has shape"), ({"stepped": np.array([99])}, "stepped of 99 to 99"),
        ({"stepped": np.zeros(59, int)}, "59 shapes that are stepped; 0 to 58"), ({"side": 0}, "0 px of a side"),
        ({"landmarks": np.array([-1])}, "landmarks of -1"), ({"rest": np.zeros((3, 2))}, "rest is numpy"),
        ({"rules": ()}, "rules is tuple"), ({"regions": np.zeros(3, np.int32)}, "regions is numpy"),
    ],
)  # fmt: skip
def test_a_body_names_what_is_wrong(change: dict[str, object], says: str) -> None:
    body = CASES[0].arguments()[0].body
    known, sizes = body.known, body.sizes
    parts = {"mean": known.mean, "lasting": known.lasting, "moving": known.moving, "triangles": known.triangles,
             "regions": known.regions, "whole": known.whole, "stepped": known.stepped, "landmarks": known.landmarks,
             "rest": known.rest, "side": sizes.side, "rules": body.rules}  # fmt: skip
    Body(**parts)
    with pytest.raises(SettingsError, match=says):
        Body(**(parts | change))
