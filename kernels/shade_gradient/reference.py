"""`shade_gradient` in plain float64, pixel after pixel: the text to read. Given checked arrays."""

from __future__ import annotations

import numpy as np

from tracker.kernels.rasterize.reference import weights as barycentrics
from tracker.kernels.shade import HARMONICS, Surface
from tracker.kernels.shade.reference import harmonics
from tracker.kernels.shade_gradient import MOST_STEPS, Gradient

_AFTER, _BEFORE = [1, 2, 0], [2, 0, 1]


def shade_gradient(
    surface: Surface, neighbours: np.ndarray, ids: np.ndarray, target: np.ndarray, softness: float,
    weights: np.ndarray, out: Gradient,
) -> None:  # fmt: skip
    """Fill `out`."""
    for image in range(len(ids)):
        _of_picture(surface, neighbours, image, ids[image], target[image] / 255.0, softness**2, weights[image], out)


def _of_picture(
    surface: Surface, neighbours: np.ndarray, image: int, ids: np.ndarray, target: np.ndarray, soft: float,
    weights: np.ndarray, out: Gradient,
) -> None:  # fmt: skip
    xy = surface.vertices_px[image, :, :2].astype(np.float64)
    normals, lighting = surface.normals[image].astype(np.float64), surface.lighting[image].astype(np.float64)
    albedo = surface.albedo[image].astype(np.float64)
    light = harmonics(normals) @ lighting
    colours = albedo * light
    places, of_colours, energy = np.zeros_like(xy), np.zeros_like(colours), np.zeros(ids.shape)
    for i, j in np.argwhere((ids >= 0) & (ids < len(surface.triangles))):
        region = surface.regions[ids[i, j]]
        if not 0 <= region < len(weights):
            continue
        corners = surface.triangles[ids[i, j]]
        share = barycentrics(surface.vertices_px[image], corners[None], np.array([[i, j]]))[0]
        away = share @ colours[corners] - target[i, j]
        squared = away @ away
        energy[i, j] = weights[region] * squared / (squared + soft)
        of_colour = weights[region] * 2 * away * soft / (squared + soft) ** 2
        np.add.at(of_colours, corners, np.outer(share, of_colour))
        np.add.at(places, corners, _inside(xy[corners] - [j + 0.5, i + 0.5], colours[corners] @ of_colour))
    for i, j in np.argwhere((ids >= 0) & (ids < len(surface.triangles))):
        for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            there = (i + down, j + right)
            if 0 <= there[0] < ids.shape[0] and 0 <= there[1] < ids.shape[1] and ids[there] != ids[i, j]:
                jump = energy[i, j] - energy[there]
                shown = (ids[i, j], ids[there])
                _silhouette(surface.triangles, neighbours, xy, shown, (i, j), (down, right), jump, places)
    of_light = of_colours * albedo
    out.places[image] = places
    out.albedo[image] = of_colours * light
    out.lighting[image] = harmonics(normals).T @ of_light
    out.normals[image] = np.einsum("vkx,kc,vc->vx", _slopes(normals), lighting, of_light)


def _inside(corners: np.ndarray, of_share: np.ndarray) -> np.ndarray:
    """dE [3, 2] by the corners' places, from dE by the barycentrics; places are given from the pixel's centre."""
    x, y = corners.T
    edge = x[_AFTER] * y[_BEFORE] - x[_BEFORE] * y[_AFTER]
    total = edge.sum()
    if total == 0:
        return np.zeros((3, 2))
    raw = edge / total
    clipped = raw.clip(0, 1)
    share = clipped / clipped.sum()
    of_raw = np.where(raw == clipped, of_share - of_share @ share, 0) / clipped.sum()
    of_edge = (of_raw - of_raw @ raw) / total
    # Edge k is x[k+1] y[k-1] - x[k-1] y[k+1]; so corner k is in edges k+1 and k-1.
    of_x = of_edge[_BEFORE] * y[_AFTER] - of_edge[_AFTER] * y[_BEFORE]
    of_y = of_edge[_AFTER] * x[_BEFORE] - of_edge[_BEFORE] * x[_AFTER]
    return np.stack([of_x, of_y], 1)


def _area(triangle: np.ndarray, xy: np.ndarray) -> float:
    (ax, ay), (bx, by), (cx, cy) = xy[triangle]
    return float((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))


def _crossed(corners: np.ndarray, sign: float, at: np.ndarray, ahead: np.ndarray, entered: int) -> int:
    """The edge by which the line from `at` to the next pixel leaves a triangle: its corner, or -1."""
    nearest, crossed = np.inf, -1
    for k in range(3):
        a, b = corners[_AFTER[k]], corners[_BEFORE[k]]
        inner = ((b - a)[0] * (at - a)[1] - (b - a)[1] * (at - a)[0]) * sign
        outer = inner + ((b - a)[0] * ahead[1] - (b - a)[1] * ahead[0]) * sign
        inner = max(inner, 0)
        if k != entered and outer < 0 and inner / (inner - outer) < nearest:
            nearest, crossed = inner / (inner - outer), k
    return crossed


def _outline(
    triangles: np.ndarray, neighbours: np.ndarray, xy: np.ndarray, t: int, shown_next: int, at: np.ndarray,
    ahead: np.ndarray,
) -> tuple[int, int]:  # fmt: skip
    """The silhouette between two pixels, as a triangle and the corner opposite its edge; corner -1 for none.

    From the triangle that is seen it walks over its neighbours, some of which may own no pixel.
    """
    entered = -1
    for _ in range(MOST_STEPS):
        sign = np.sign(_area(triangles[t], xy))
        crossed = _crossed(xy[triangles[t]], sign, at, ahead, entered)
        if crossed < 0:
            return t, -1
        behind = neighbours[t, crossed]
        if behind < 0 or np.sign(_area(triangles[behind], xy)) * sign <= 0:
            return t, crossed
        if behind == shown_next:
            return t, -1
        entered = int(np.argmax(neighbours[behind] == t)) if t in neighbours[behind] else 2
        t = behind
    return t, -1


def _silhouette(
    triangles: np.ndarray, neighbours: np.ndarray, xy: np.ndarray, shown: tuple[int, int], here: tuple[int, int],
    step: tuple[int, int], jump: float, places: np.ndarray,
) -> None:  # fmt: skip
    """Add what moving the outline that runs between a pixel and the next one does."""
    at, ahead = np.array([here[1] + 0.5, here[0] + 0.5]), np.array([step[1], step[0]], float)
    t, crossed = _outline(triangles, neighbours, xy, *shown, at, ahead)
    if crossed < 0:
        return
    a, b = triangles[t, _AFTER[crossed]], triangles[t, _BEFORE[crossed]]
    along = 0 if step[1] else 1  # the axis of the line through both pixels
    span = xy[b] - xy[a]
    if (abs(span[1]) >= abs(span[0])) != (along == 0):
        return
    share = float(np.clip((at[1 - along] - xy[a, 1 - along]) / span[1 - along], 0, 1))
    slope = span[along] / span[1 - along]
    outwards = jump * ahead[along]
    for vertex, part in ((a, 1 - share), (b, share)):
        places[vertex, along] += outwards * part
        places[vertex, 1 - along] -= outwards * part * slope


def _slopes(normals: np.ndarray) -> np.ndarray:
    """The nine functions [V, 9, 3] by the normal's three numbers."""
    x, y, z = normals.T
    none, one = np.zeros_like(x), np.ones_like(x)
    rows = [(none, none, none), (none, one, none), (none, none, one), (one, none, none), (y, x, none), (none, z, y),
            (none, none, 6 * z), (z, none, x), (2 * x, -2 * y, none)]  # fmt: skip
    return np.stack([np.stack(row, -1) for row in rows], 1) * np.array(HARMONICS)[:, None]
