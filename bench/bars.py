"""The bars that the processor is held to, each beside what it takes here: pictures, and what the refine stage costs.

Given how often to repeat, it compares what it times with the reference first, then times it hot, on one thread. It
knows nothing of a device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.bench.cases import cases_of
from tracker.bench.measure import Spread
from tracker.bench.places import on_the_clock
from tracker.bench.report import table

PICTURES_NS = {128: 120_000, 64: 50_000}
"""Side in px -> rasterize, shade and residual of 468 vertices."""
CONFIDENCE_NS, STAGE_NS = 150_000, 500_000
"""The confidence pass alone, and the whole refine stage with its one step."""
_LOOKS = 24
"""Of the clip, after which a face is known and its colours are believed."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One of them."""

    what: str
    spread: Spread | None
    """None where the answer was wrong: then no speed counts."""
    target_ns: int
    reached: bool
    """Whether the median is below the target."""
    found: str
    """How the answer compares; empty where that is another bench's business."""


def _bar(what: str, target_ns: int, spread: Spread | None, found: str = "") -> Bar:
    return Bar(what, spread, target_ns, spread is not None and spread.p50_ns < target_ns, found)


def picture_bars(repeats: int) -> tuple[Bar, ...]:
    """Rasterize, shade and the photometric residual together, by numba, a bar for each side of `PICTURES_NS`."""
    from tracker.kernels.backend import operator

    ours = {row: operator(row, "numba")[0] for row in ("rasterize", "shade")}
    return tuple(_picture_bar(side_px, repeats, ours) for side_px in PICTURES_NS)


def _picture_bar(side_px: int, repeats: int, operators: dict[str, Any]) -> Bar:
    from tracker.kernels.backend import operator
    from tracker.kernels.rasterize.cases import Case as Mesh
    from tracker.kernels.shade.cases import Case

    cases, case = cases_of("shade"), Case("face", Mesh("face", side_px=side_px), drawn=False)
    surface, drawn, target, softness, out = case.arguments()
    wanted = case.arguments()
    ids, depth = np.full_like(drawn, -77), np.full(drawn.shape, np.nan, np.float32)
    operator("shade", "reference")[0](*wanted)

    def call() -> None:
        operators["rasterize"](surface.vertices_px, surface.triangles, ids, depth)
        operators["shade"](surface, ids, target, softness, out)

    call()
    apart, wrong = cases.apart((out,), wanted), int((ids != drawn).sum())
    right = wrong == 0 and apart <= cases.tolerance
    what = f"rasterize, shade and residual, {surface.vertices_px.shape[1]} vertices, {side_px} px"
    found = f"{wrong} ids differ from the reference's, values by {apart:.1e} of {cases.tolerance:g}"
    return _bar(what, PICTURES_NS[side_px], on_the_clock(call, repeats) if right else None, found)


def refine_bars(repeats: int) -> tuple[Bar, ...]:
    """The confidence pass alone, and the whole stage with one step, on a face of the bundled clip that is known."""
    from tracker.bench.looks import look
    from tracker.pipeline import Pipeline
    from tracker.refine.consensus import consensus
    from tracker.refine.sharpen import RefineSettings

    found = []
    for steps, what, target_ns in (
        (0, "confidence of the regions alone", CONFIDENCE_NS), (1, "the whole refine stage, one step", STAGE_NS),
    ):  # fmt: skip
        at = look(Pipeline(refine=RefineSettings(steps)), _LOOKS)
        pipeline, slot = at.pipeline, at.track.slot
        (guess,) = pipeline.regressor(at.frame, [at.roi])
        fit = pipeline.refiner(guess, slot, at.track.track_id)

        def alone(pipeline: Any = pipeline, guess: Any = guess, fit: Any = fit, slot: int = slot) -> None:
            pipeline.resembler(guess, fit, slot)

        def whole(pipeline: Any = pipeline, guess: Any = guess, slot: int = slot, name: int = fit.track_id) -> None:
            pipeline.resembler(guess, consensus(pipeline.refiner(guess, slot, name), []), slot)

        found.append(_bar(what, target_ns, on_the_clock(whole if steps else alone, repeats)))
    return tuple(found)


def bars_table(bars: tuple[Bar, ...]) -> str:
    """Each beside its target."""
    rows = [
        [bar.what, *(f"{ns / 1e3:.1f}" for ns in (bar.spread.p50_ns, bar.spread.p20_ns, bar.spread.p80_ns)),
         f"{bar.target_ns / 1e3:.0f}", "yes" if bar.reached else "NO"]
        if bar.spread else [bar.what, "-", "-", "-", f"{bar.target_ns / 1e3:.0f}", f"WRONG: {bar.found}"]
        for bar in bars
    ]  # fmt: skip
    return table(("hot, on one thread", "p50 us", "p20 us", "p80 us", "below us", "reached"), rows)
