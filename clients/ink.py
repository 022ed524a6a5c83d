"""Drawing on an RGB picture with numpy alone: thin and thick lines, boxes, text.

Given a uint8 [H, W, 3] array it writes into it and clips at its edges. Coordinates are pixels, the centre of the first
at (0.5, 0.5). It knows no faces and no video.
"""

from __future__ import annotations

import numpy as np

from tracker.clients.font import text_mask

Colour = tuple[int, int, int]


def lines(picture: np.ndarray, start: np.ndarray, end: np.ndarray, rgb: Colour, alpha: float = 1.0) -> None:
    """Many thin smooth lines [N, 2] -> [N, 2] at once; where they cross, the ink adds up to at most `alpha`.

    Each line takes one sample per pixel of its longer axis and splits it over the two nearest pixels of the other.
    """
    keep = np.isfinite(start).all(1) & np.isfinite(end).all(1) & (np.abs(start - end).max(1) < 2 * max(picture.shape))
    start, end = start[keep] - 0.5, end[keep] - 0.5
    if not len(start):
        return
    x, y, weight = _samples(start, end)
    height, width = picture.shape[:2]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if not inside.any():
        return
    x, y, weight = x[inside], y[inside], weight[inside]
    left, top = int(x.min()), int(y.min())
    wide, tall = int(x.max()) - left + 1, int(y.max()) - top + 1
    ink = np.bincount((y - top) * wide + (x - left), weight, tall * wide).reshape(tall, wide)
    _blend(picture[top : top + tall, left : left + wide], rgb, np.minimum(ink, 1.0) * alpha)


def _samples(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels x, y (int) and weights of the lines' samples, two for each."""
    delta = end - start
    steps = np.ceil(np.abs(delta).max(1)).astype(np.intp) + 1
    flat = np.abs(delta[:, 0]) >= np.abs(delta[:, 1])  # the longer axis is x
    along, across = (np.where(flat, delta[:, k], delta[:, 1 - k]) for k in (0, 1))
    begin, beside = (np.where(flat, start[:, k], start[:, 1 - k]) for k in (0, 1))
    line = np.repeat(np.arange(len(start)), steps)
    first = np.cumsum(steps) - steps
    share = (np.arange(len(line)) - first[line]) / np.maximum(steps - 1, 1)[line]
    exact = begin[line] + along[line] * share
    rounded = np.floor(exact + 0.5)  # rint would go to even numbers and leave gaps
    slope = across / np.where(along == 0, 1.0, along)
    minor = beside[line] + slope[line] * (rounded - begin[line])
    low, major = np.floor(minor).astype(np.intp), rounded.astype(np.intp)
    flat = flat[line]
    x = np.concatenate([np.where(flat, major, low), np.where(flat, major, low + 1)])
    y = np.concatenate([np.where(flat, low, major), np.where(flat, low + 1, major)])
    return x, y, np.concatenate([1 - (minor - low), minor - low])


def thick_line(picture: np.ndarray, start: np.ndarray, end: np.ndarray, rgb: Colour, width_px: float) -> None:
    """One line with round ends, by the distance of each pixel from it."""
    if not (np.isfinite(start).all() and np.isfinite(end).all()):
        return
    reach = width_px / 2 + 1
    height, width = picture.shape[:2]
    low = np.floor(np.minimum(start, end) - reach)
    high = np.ceil(np.maximum(start, end) + reach)
    left, top = np.clip(low, 0, [width, height]).astype(int)
    right, bottom = np.clip(high, 0, [width, height]).astype(int)
    if right <= left or bottom <= top:
        return
    x = np.arange(left, right)[None] + 0.5 - start[0]
    y = np.arange(top, bottom)[:, None] + 0.5 - start[1]
    dx, dy = end - start
    along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
    distance = np.hypot(x - along * dx, y - along * dy)
    _blend(picture[top:bottom, left:right], rgb, np.clip(width_px / 2 + 0.5 - distance, 0, 1))


def box(picture: np.ndarray, left: int, top: int, size: tuple[int, int], rgb: Colour, alpha: float = 1.0) -> None:
    """A filled rectangle of `size` (width, height)."""
    window = picture[max(top, 0) : max(top + size[1], 0), max(left, 0) : max(left + size[0], 0)]
    if alpha >= 1:
        window[:] = rgb
    elif window.size:
        _blend(window, rgb, np.full(window.shape[:2], alpha))


def text(picture: np.ndarray, left: int, top: int, words: str, rgb: Colour, scale: int = 1) -> None:
    """One line of text whose top left corner is (left, top); 6 x 8 dots a letter, each `scale` pixels."""
    mask = text_mask(words, scale)[max(-top, 0) :, max(-left, 0) :]
    window = picture[max(top, 0) :, max(left, 0) :][: mask.shape[0], : mask.shape[1]]
    window[mask[: window.shape[0], : window.shape[1]]] = rgb


def _blend(window: np.ndarray, rgb: Colour, alpha: np.ndarray) -> None:
    """In steps of 1/128 and 16-bit integers, which is several times as fast as floating point."""
    share = (alpha * 128).astype(np.int16)[..., None]
    away = np.array(rgb, np.int16) - window
    away *= share
    away >>= 7
    np.add(window, away, out=window, casting="unsafe")
