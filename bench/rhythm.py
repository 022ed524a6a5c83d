"""How much a signal trembles where it should rest, and how late it is where it moves.

Given values over time and what is true it returns numbers; it does not know whose values they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Span = tuple[float, float]
EARLIEST_MS, LATEST_MS, STEP_MS = -60.0, 300.0, 2.0
AROUND_SECONDS = 0.3
"""A filter that is late goes on for so long after the motion has ended."""
LEAST_DEPTH = 0.1
"""Of a coefficient that closes."""


def jitter(values: np.ndarray, seconds: np.ndarray, rests: Sequence[Span]) -> float:
    """Root mean square of the second difference over frames and points; `values` [N, P, D], in their own unit.

    A still signal has none, white noise of deviation s in D numbers has s sqrt(6 D).
    """
    found = []
    for start, end in rests:
        still = values[(seconds >= start) & (seconds < end)]
        if len(still) > 2:
            found.append((np.diff(still, 2, axis=0) ** 2).sum(-1).ravel())
    return float(np.sqrt(np.concatenate(found).mean())) if found else float("nan")


def lag_ms(
    values: np.ndarray, seconds: np.ndarray, truth: np.ndarray, true_seconds: np.ndarray, span: Span,
    scaled: bool = False,
) -> float:  # fmt: skip
    """The delay of the truth that explains the values best around a motion; both [N, C] at their own seconds.

    Each channel may be off by a constant and, where `scaled`, by a factor: how late is asked, not how right.
    """
    moving = (seconds >= span[0] - 0.1) & (seconds < span[1] + AROUND_SECONDS)
    if moving.sum() < 5:
        return float("nan")
    delays = np.arange(EARLIEST_MS, LATEST_MS + STEP_MS, STEP_MS)
    own = values[moving] - values[moving].mean(0)
    left = []
    for delay in delays:
        at = seconds[moving] - delay / 1000
        late = np.stack([np.interp(at, true_seconds, channel) for channel in truth.T], 1)
        late -= late.mean(0)
        if scaled:
            late = late * ((own * late).sum(0) / np.maximum((late * late).sum(0), 1e-12))
        left.append(float(((own - late) ** 2).sum()))
    best = int(np.argmin(left))
    if not 0 < best < len(left) - 1:
        return float(delays[best])
    before, least, after = left[best - 1 : best + 2]
    return float(delays[best] + STEP_MS / 2 * (before - after) / max(before - 2 * least + after, 1e-30))


def kept(raw: np.ndarray, values: np.ndarray, seconds: np.ndarray, at: float) -> float:
    """Share of a short closure's depth that is left; [N, C] coefficients. NaN where nothing closes in the raw ones."""
    open_, shut = (seconds > at - 0.6) & (seconds < at - 0.1), (seconds >= at - 0.01) & (seconds < at + 0.15)
    if not open_.any() or not shut.any():
        return float("nan")
    depth = raw[shut].max(0) - np.median(raw[open_], 0)
    left = values[shut].max(0) - np.median(values[open_], 0)
    deep = depth > LEAST_DEPTH
    return float((left[deep] / depth[deep]).mean()) if deep.any() else float("nan")
