"""The light on a synthetic head: a dome of two colours and up to three lamps, the strongest of which casts shadows.

Given vertices and normals in camera space it returns what each vertex gets, as factors for a texture that is stored
with the usual gamma, and what it throws back of its own. It does not know whose head it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

SHADOW_PX = 176
SHADOW_BIAS_MM = 3.5
GAMMA = 2.2

Rng = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Lamps:
    """L lamps, the first the strongest. Directions are unit vectors towards the lamp in camera axes."""

    directions: np.ndarray
    """float [L, 3]."""
    colours: np.ndarray
    """float [L, 3], linear."""
    above: np.ndarray
    """float [3], linear: the dome's colour overhead."""
    below: np.ndarray
    """float [3]."""
    exposure: float
    """What the brightest of a face that looks into the camera, or a little aside, comes to; about 1."""

    @property
    def gain(self) -> float:
        """What all light is multiplied by for that exposure."""
        aside = np.array([[0, 0, -1], [0.7, -0.2, -0.7], [-0.7, -0.2, -0.7]])
        lit = np.clip(aside @ self.directions.T, 0, None) @ self.colours.mean(1)
        return self.exposure / float(lit.max() + (self.above + self.below).mean() / 2)


def draw_lamps(rng: Rng) -> Lamps:
    """Rooms, windows, sun, screens; every tenth is dark or lit from the side alone."""
    count = int(rng.integers(1, 4))
    turn, lift = rng.normal(0, 55, count), rng.normal(28, 28, count)
    if rng.random() < 0.2:
        turn[0] = rng.choice([-1, 1]) * rng.uniform(60, 115)
    turn, lift = np.radians(turn), np.radians(np.clip(lift, -50, 85))
    directions = np.stack([np.sin(turn) * np.cos(lift), -np.sin(lift), -np.cos(turn) * np.cos(lift)], 1)
    warm = rng.normal(0, 0.14, (count, 1)) * [1, 0, -1.2] + rng.normal(0, 0.03, (count, 3))
    if rng.random() < 0.06:
        warm += rng.normal(0, 0.5, (count, 3))
    colours = np.exp(warm) * rng.uniform(0.15, 1.0, (count, 1)) * np.array([1.5, 0.7, 0.7])[:count, None]
    dome = rng.uniform(0.12, 0.9) * np.exp(rng.normal(0, 0.07, 3))
    below = dome * rng.uniform(0.3, 0.9) * np.exp(rng.normal(0, 0.06, 3))
    exposure = rng.uniform(0.25, 0.5) if rng.random() < 0.08 else rng.uniform(0.6, 1.25)
    return Lamps(directions, colours, dome, below, float(exposure))


def shine(
    lamps: Lamps, vertices: np.ndarray, normals: np.ndarray, triangles: np.ndarray, open_sky: np.ndarray,
    shininess: float,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Tint [V, 3] for a gamma-coded texture and gloss [V, 3] in grey levels; `open_sky` [V] is 1 where nothing is near.

    `shininess` 0..1 is the skin's oil. Diffuse is Lambert's, a little wrapped as skin lets light through; gloss is
    Blinn's half vector.
    """
    seen = lit_share(vertices, triangles, lamps.directions[0]) if len(triangles) else open_sky
    tint, gloss = np.empty((2, len(vertices), 3), np.float32)
    _shine(
        vertices, normals, open_sky, seen, lamps.directions.astype(np.float32),
        (lamps.colours * lamps.gain).astype(np.float32), (lamps.above * lamps.gain).astype(np.float32),
        (lamps.below * lamps.gain).astype(np.float32), np.float32(shininess), tint, gloss,
    )  # fmt: skip
    return tint, gloss


@njit(cache=False, fastmath=True)
def _shine(
    vertices: Any, normals: Any, sky: Any, seen: Any, directions: Any, colours: Any, above: Any, below: Any,
    shininess: Any, tint: Any, gloss: Any,
) -> None:  # fmt: skip
    for v in range(len(vertices)):
        nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
        vx, vy, vz = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        away = math.sqrt(vx * vx + vy * vy + vz * vz)
        up = (1 - ny) / 2
        for n in range(3):
            tint[v, n] = (below[n] + (above[n] - below[n]) * up) * sky[v]
            gloss[v, n] = 0
        for k in range(len(directions)):
            lx, ly, lz = directions[k, 0], directions[k, 1], directions[k, 2]
            wrapped = (nx * lx + ny * ly + nz * lz + 0.15) / 1.15 * (seen[v] if k == 0 else sky[v])
            if wrapped <= 0:
                continue
            hx, hy, hz = lx - vx / away, ly - vy / away, lz - vz / away
            glint = max(nx * hx + ny * hy + nz * hz, 0.0) / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
            glint = (glint * glint) ** 4
            thrown = (0.05 * glint + 0.16 * shininess * glint * glint * glint * glint) * wrapped * 255
            for n in range(3):
                tint[v, n] += wrapped * colours[k, n]
                gloss[v, n] += thrown * colours[k, n]
        for n in range(3):
            tint[v, n] = tint[v, n] ** (1 / GAMMA)
            gloss[v, n] = min(gloss[v, n], 180.0)


def lit_share(vertices: np.ndarray, triangles: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """float32 [V]: the share of a lamp far away in `direction` that reaches each vertex, by a shadow map."""
    across = np.cross(direction, [0.0, 1.0, 0.01])
    across /= np.linalg.norm(across)
    frame = np.stack([across, np.cross(direction, across), -direction])
    placed = vertices @ frame.T.astype(np.float32)
    low = placed[:, :2].min(0)
    mm = float(np.ptp(placed[:, :2], axis=0).max()) / (SHADOW_PX - 5)
    xyz = np.column_stack([(placed[:, :2] - low) / mm + 2, placed[:, 2]]).astype(np.float32)
    return _reached(xyz, triangles, np.float32(SHADOW_BIAS_MM))


def open_sky_share(vertices: np.ndarray, triangles: np.ndarray, normals: np.ndarray, count: int = 64) -> np.ndarray:
    """float32 [V]: how much of the sky above it each vertex sees, cosine-weighted, over `count` even directions."""
    k = np.arange(count) + 0.5
    lift, turn = np.arccos(1 - 2 * k / count), np.pi * (1 + 5**0.5) * k
    directions = np.stack([np.cos(turn) * np.sin(lift), np.sin(turn) * np.sin(lift), np.cos(lift)], 1)
    got, whole = np.zeros(len(vertices)), np.full(len(vertices), 1e-6)
    for direction in directions:
        weight = np.clip(normals @ direction, 0, None)
        got += weight * lit_share(vertices, triangles, direction)
        whole += weight
    return (got / whole).astype(np.float32)


@njit(cache=False, fastmath=True)
def _reached(xyz: Any, triangles: Any, bias: Any) -> Any:
    size = SHADOW_PX
    depth = np.full((size, size), np.float32(1e9))
    for t in range(len(triangles)):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = xyz[i, 0], xyz[i, 1], xyz[j, 0], xyz[j, 1], xyz[k, 0], xyz[k, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-6:
            continue
        for y in range(max(0, int(math.ceil(min(ay, by, cy) - 0.5))), min(size, int(max(ay, by, cy) + 0.5))):
            for x in range(max(0, int(math.ceil(min(ax, bx, cx) - 0.5))), min(size, int(max(ax, bx, cx) + 0.5))):
                px, py = x + 0.5, y + 0.5
                wb = ((px - ax) * (cy - ay) - (py - ay) * (cx - ax)) / area
                wc = ((bx - ax) * (py - ay) - (by - ay) * (px - ax)) / area
                if wb < 0 or wc < 0 or wb + wc > 1:
                    continue
                z = xyz[i, 2] + wb * (xyz[j, 2] - xyz[i, 2]) + wc * (xyz[k, 2] - xyz[i, 2])
                if z < depth[y, x]:
                    depth[y, x] = z
    share = np.zeros(len(xyz), np.float32)
    for v in range(len(xyz)):
        x, y, z = int(xyz[v, 0]), int(xyz[v, 1]), xyz[v, 2] - bias
        seen = 0
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                seen += z < depth[min(max(y + dy, 0), size - 1), min(max(x + dx, 0), size - 1)]
        share[v] = seen / 9
    return share
