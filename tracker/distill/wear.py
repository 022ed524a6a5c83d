"""What a synthetic head wears or holds before it: long hair, glasses, a mask, a hand, a shirt.

Given the person's vertices in head space it returns meshes in head space, of one colour or nearly; nothing knows the
light on them or where the head is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.distill.head import grid_triangles
from tracker.distill.ict import Ict

Rng = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """A surface of one colour a vertex."""

    vertices_mm: np.ndarray
    """float [V, 3]."""
    triangles: np.ndarray
    """int32 [T, 3]."""
    rgb: np.ndarray
    """float [V, 3] in 0..255."""


def joined(things: list[Thing]) -> Thing:
    """Several as one."""
    starts = np.cumsum([0, *(len(thing.vertices_mm) for thing in things[:-1])])
    triangles = [thing.triangles + start for thing, start in zip(things, starts, strict=True)]
    return Thing(
        np.concatenate([thing.vertices_mm for thing in things]), np.concatenate(triangles).astype(np.int32),
        np.concatenate([thing.rgb for thing in things]),
    )  # fmt: skip


def _swept(rows: np.ndarray, rgb: np.ndarray, closed: bool) -> Thing:
    """A grid of points [R, C, 3]; the columns join where `closed`."""
    count = rows.shape[0] * rows.shape[1]
    colour = np.broadcast_to(np.asarray(rgb, float), (count, 3)).copy()
    return Thing(rows.reshape(-1, 3), grid_triangles(rows.shape[0], rows.shape[1], closed), colour)


def curtain(rgb: np.ndarray, rng: Rng) -> Thing:
    """Hair that hangs from behind the ears, to the jaw or the shoulders."""
    columns, long_mm = 90, rng.uniform(70, 260)
    turn = np.radians(np.linspace(-rng.uniform(2, 25), 180 + rng.uniform(2, 25), columns))
    y = np.linspace(-45, long_mm, 14)[:, None]
    wide = np.interp(y, [-45, 20, 110, 260], [72, 86, 84 + rng.uniform(-4, 16), 95])
    wave = rng.uniform(0, 4) * np.sin(y / rng.uniform(9, 30) + 3 * turn) + rng.normal(0, 1.2, columns)
    radius = wide + wave
    rows = np.stack([radius * np.cos(turn), y + 0 * turn, 62 + 1.12 * radius * np.sin(turn)], -1)
    streak = np.clip(1 + 0.22 * np.convolve(rng.normal(0, 1, columns + 2), np.ones(3) / 1.7, "valid"), 0.4, 1.6)
    shade = streak[None] * np.linspace(0.8, 1.05, 14)[:, None]
    return _swept(rows, (shade[..., None] * rgb).reshape(-1, 3), False)


def glasses(marks_mm: np.ndarray, rng: Rng) -> tuple[list[Thing], bool]:
    """Frames before the eyes of a head with 68 points [68, 3]; whether they hide the eyes."""
    eyes = np.array([marks_mm[42:48].mean(0), marks_mm[36:42].mean(0)])
    front = min(marks_mm[27, 2], eyes[:, 2].min() - 6) - 2
    half_x, half_y = rng.uniform(21, 27), rng.uniform(14, 22)
    thick, power = rng.uniform(0.7, 3.2), rng.uniform(2, 4)
    rgb = rng.uniform(10, 70) * np.ones(3) if rng.random() < 0.6 else rng.uniform(20, 220, 3)
    dark = rng.random() < 0.3
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    c, s = np.cos(turn), np.sin(turn)
    outline = np.stack(
        [np.sign(c) * np.abs(c) ** (2 / power) * half_x, np.sign(s) * np.abs(s) ** (2 / power) * half_y], 1
    )
    things = []
    for eye, side in zip(eyes, (1, -1), strict=True):
        middle = np.array([side * max(abs(eye[0]), half_x + 7), eye[1] + 3, front])
        rim = np.column_stack([outline, 0.012 * (outline[:, 0] * side + half_x) ** 1.6]) + middle
        outer = rim + np.column_stack([outline / np.linalg.norm(outline, axis=1, keepdims=True) * thick, 0 * turn])
        things.append(_swept(np.stack([rim, outer, outer + [0, 0, 2.5]]), rgb, True))
        if dark:
            tint = rng.uniform(8, 45) * np.ones(3)
            things.append(_swept(np.stack([rim, rim * 0 + rim.mean(0)]), tint, True))
        hinge = middle + [side * half_x, -half_y * 0.3, 3]
        ear = np.array([side * 76, eye[1] - 3, 45])
        things.append(_bar(hinge, ear, thick * 1.4, rgb))
        things.append(_bar(middle - [side * half_x, 4, 0], np.array([0, eye[1] - 2, front - 1.5]), thick, rgb))
    return things, bool(dark)


def _bar(a: np.ndarray, b: np.ndarray, half_mm: float, rgb: np.ndarray) -> Thing:
    turn = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    along = (b - a) / np.linalg.norm(b - a)
    one = np.cross(along, [0.0, 1.0, 0.2])
    one /= np.linalg.norm(one)
    ring = half_mm * (np.cos(turn)[:, None] * one + np.sin(turn)[:, None] * np.cross(along, one))
    return _swept(np.stack([a + ring, b + ring]), rgb, True)


def mask(ict: Ict, vertices_mm: np.ndarray, rng: Rng) -> Thing:
    """A cloth over nose, mouth and chin that follows the face of now [V, 3]."""
    rest, face = ict.neutral_mm, ict.triangles["M_Face"]
    x, y, z = rest.T
    top = np.interp(np.abs(x), [0, 20, 60], [rng.uniform(14, 34), 34, 42])
    bottom = np.interp(np.abs(x), [0, 40, 62], [122, 100, 60])
    under = (y > top) & (y < bottom) & (z < 24) & (np.abs(x) < 66)
    kept = face[under[face].all(1)]
    chosen, at = np.unique(kept, return_inverse=True)
    p = vertices_mm[chosen]
    terms = np.column_stack([np.ones(len(p)), p[:, 1], p[:, 0] ** 2, p[:, 1] ** 2, p[:, 0] ** 4 / 1e3])
    smooth = terms @ np.linalg.lstsq(terms, p[:, 2], rcond=None)[0]
    p = np.column_stack([p[:, 0] * 1.03, p[:, 1], np.minimum(smooth, p[:, 2]) - 3])
    colour = np.array([[225, 228, 230], [120, 170, 205], [30, 30, 34], rng.uniform(40, 230, 3)])[rng.integers(4)]
    pleats = 1 + 0.06 * np.sin(p[:, 1] / rng.uniform(2.5, 6))[:, None]
    return Thing(p, at.reshape(-1, 3).astype(np.int32), colour * pleats)


def hand(skin_rgb: np.ndarray, rng: Rng) -> list[Thing]:
    """A palm and some fingers before the face."""
    place = np.array([rng.uniform(-60, 60), rng.uniform(-30, 110), -rng.uniform(60, 95)])
    spin = rng.uniform(-np.pi, np.pi)
    turn = np.array([[np.cos(spin), -np.sin(spin), 0], [np.sin(spin), np.cos(spin), 0], [0, 0, 1]])
    parts: list[tuple[list[float], list[float]]] = [([0.0, 0.0, 0.0], [38.0, 42.0, 13.0])]
    for finger in range(int(rng.integers(2, 6))):
        parts.append(([-30 + 18 * finger, -62 - rng.uniform(0, 18), rng.uniform(-6, 6)], [8.5, 38, 8.5]))
    things = []
    for centre, radii in parts:
        polar, around = np.linspace(0.02, np.pi - 0.02, 10)[:, None], np.linspace(0, 2 * np.pi, 16, endpoint=False)
        ball = np.stack(
            [np.sin(polar) * np.cos(around), np.cos(polar) + 0 * around, np.sin(polar) * np.sin(around)], -1
        )
        things.append(_swept((ball * radii + centre) @ turn.T + place, skin_rgb * rng.uniform(0.9, 1.05), True))
    return things


def shirt(rng: Rng) -> Thing:
    """Shoulders below the neck; they turn with the head, as far as a patch shows."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    y = np.concatenate([np.linspace(150, 232, 14), [260, 480]])[:, None]
    wide = np.interp(y, [150, 162, 178, 200, 226, 480], [62, 78, 128, 172, 205, 220])
    deep = np.interp(y, [150, 178, 226, 480], [58, 72, 92, 110])
    drop = rng.uniform(10, 40) * np.clip(-np.sin(turn), 0, 1) * np.clip(1 - (y - 150) / 70, 0, 1)
    rows = np.stack([wide * np.cos(turn), y + drop, 72 + deep * np.sin(turn)], -1)
    colour = rng.uniform(15, 235, 3) if rng.random() < 0.6 else rng.uniform(20, 230) * np.ones(3)
    return _swept(rows, colour, True)
