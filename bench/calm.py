"""The README's rows of `facewire bench smoothing`: how much is told to tremble, how late it is, and beside whom.

Given the bench's result as its JSON line holds it, it returns rows of text. It measures nothing; what the result does
not hold has no row.
"""

from __future__ import annotations

from typing import Any

from tracker.bench.report import percent

Row = tuple[str, str, str]
"""What, ours, the peer's."""
PEOPLE = {
    "rendered": "rendered people whose motion is known", "three faces": "three of them in one picture",
    "photographs": "photographs panned, then still, under sensor noise",
}  # fmt: skip
UNITS = {"landmarks": "px", "pose": "degrees", "shapes": "of 1"}


def rows(result: dict[str, Any]) -> list[Row]:
    """Tremble and lag, a short blink, what is left of One-Euro's tremble, and what irregular frames change."""
    return [*_tremble(result["points"]), *_blink(result["blink_kept"]), *_by_one_euro(result["advantages"]),
            *_irregular(result)]  # fmt: skip


def _tremble(points: list[dict[str, Any]]) -> list[Row]:
    shown = {(p["part"], p["what"], p["method"]): p for p in points if p["is_default"] or p["setting"] is None}

    def cell(part: str, what: str, method: str) -> str:
        point = shown.get((part, what, method))
        if point is None or point["jitter"] is None or point["lag_ms"] is None:
            return ""
        return f"{point['jitter']:.2g} {UNITS[what]}, {round(point['lag_ms'])} ms"

    return [
        (f"{people}: tremble of {what} at rest, lag in motion", cell(part, what, "Facewire"),
         f"{peer} (its video mode)" if (peer := cell(part, what, "MediaPipe VIDEO")) else "")
        for part, people in PEOPLE.items() for what in (UNITS if part == "rendered" else ("landmarks",))
        if (part, what, "Facewire") in shown
    ]  # fmt: skip


def _blink(kept: dict[str, float]) -> list[Row]:
    ours, peer = kept.get("Facewire"), kept.get("MediaPipe VIDEO")
    if ours is None:
        return []
    theirs = "" if peer is None else f"{percent(peer, 0)} (its video mode by its image mode)"
    return [("depth that is left of a blink of two frames", percent(ours, 0), theirs)]


def _by_one_euro(ratios: list[dict[str, Any]]) -> list[Row]:
    """Ours by its tremble at each lag, with the upper end of the interval; of three faces the most of all."""
    found = []
    known = [one for one in ratios if None not in (one["ratio"], one["high"])]
    for what in UNITS:
        at = [one for one in known if one["part"] == "rendered" and one["what"] == what]
        if at:
            lags, left, most = (
                " / ".join(format(one[name], form) for one in at)
                for name, form in (("lag_ms", "g"), ("ratio", ".2f"), ("high", ".2f"))
            )
            text = f"{PEOPLE['rendered']}: tremble of {what} by One-Euro's, both at most {lags} ms later than the raw"
            found.append((f"{text} fits (upper ends of 95% over people)", f"{left} ({most})", ""))
    three = [one for one in known if one["part"] == "three faces"]
    if three:
        left, most = (max(one[name] for one in three) for name in ("ratio", "high"))
        text = "three of them in one picture: the most of all of these (and of the upper ends)"
        found.append((text, f"{left:.2f} ({most:.2f})", ""))
    return found


def _irregular(result: dict[str, Any]) -> list[Row]:
    jitter, lag_ms = result["irregular_jitter"], result["irregular_lag_ms"]
    if any(of.get(what) is None for of in (jitter, lag_ms) for what in UNITS):
        return []
    tremble, later = (
        " / ".join(format(of[what], form) for what in UNITS) for of, form in ((jitter, "+.0%"), (lag_ms, "+.1f"))
    )
    text = f"{PEOPLE['rendered']}, frame times off by up to half and a fifth of the frames dropped: tremble of"
    return [(f"{text} {' / '.join(UNITS)} changes by, and lag by", f"{tremble}, {later} ms", "")]
