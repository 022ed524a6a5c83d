"""`facewire bench report`: the README's table of figures, out of the benches' own results.

Given a folder of results, each the JSON line a bench ended in, it returns the rows that they hold; what was not
measured has no row. It measures nothing and rounds as a person would read it. See `marks` for where they go.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tracker.bench import calm
from tracker.bench.line import Machine, machine_of, measured_on, shown
from tracker.bench.report import decimal, percent
from tracker.errors import SourceError

Row = tuple[str, str, str]
"""What, ours, the peer's."""


def figures(results: Path) -> str:
    """The table of all results in the folder and what was drawn, as Markdown; SourceError where there is none."""
    rows, machines = list[Row](), dict[str, Machine]()
    for name, (bench, rows_of) in _ROWS.items():
        path = results / f"{name}.json"
        if path.is_file():
            machines[name], found = shown(path, bench, partial(_told, rows_of))
            rows += found
    if not rows:
        raise SourceError(
            f"{results} holds none of {', '.join(f'{name}.json' for name in _ROWS)}; run the benches first"
        )
    drawn = [f"![{what}](bench/results/{name})" for name, what in _PICTURES.items() if (results / name).is_file()]
    return "\n".join([
        measured_on(machines), "",
        "| what | Facewire | MediaPipe |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows),
        *([""] if drawn else []), *drawn,
    ])  # fmt: skip


def _told(rows_of: Callable[[dict[str, Any]], list[Row]], line: dict[str, Any]) -> tuple[Machine, list[Row]]:
    return machine_of(line), rows_of(line["result"])


def milliseconds(spread: dict[str, float], *which: str) -> str:
    """Some of a spread's percentiles."""
    return " / ".join(f"{spread[f'{name}_ns'] / 1e6:.2f}" for name in which) + " ms"


def _latency(result: dict[str, Any]) -> list[Row]:
    passes = {row["name"]: row for row in result["passes"]}
    rows, shown = [], ("p50", "p95", "p99")
    for name, where in (("interleaved", ""), ("one core", ", both on one core")):
        if name in passes and passes[name]["peer"]:
            ours, peer = passes[name]["ours"]["published"], passes[name]["peer"]["total"]
            what = f"decoded {result['width_px']} x {result['height_px']} frame to published message{where}"
            rows.append((f"{what}, p50 / p95 / p99", milliseconds(ours, *shown), milliseconds(peer, *shown)))
    alone = next((row for name, row in passes.items() if name.startswith("ours alone")), None)
    if alone:
        rows.append((
            "published to received on loopback, 60 frames a second, p50 / p99",
            milliseconds(alone["ours"]["received"], "p50", "p99"), "",
        ))  # fmt: skip
    return rows


def _end_to_end(result: dict[str, Any]) -> list[Row]:
    rows, shown = [], ("p50", "p99", "p999")
    for case in result["cases"]:
        account = case["account"]
        every, tracking = account["stages"]["due to this or a newer one"], account["stages"]["decoded to published"]
        share = (account["due"] - account["stages"]["due to received"]["count"]) / account["due"]
        rows.append((
            f"{case['what']}, {result['minutes']:g} minutes: from the time a frame is due to its message in another "
            f"process, decoding included, p50 / p99 / p99.9 ({percent(share)} dropped; they count until the next one)",
            milliseconds(every, *shown), "",
        ))  # fmt: skip
        if case is result["cases"][0]:
            rows.append(("of that, decoded to published, p50 / p99", milliseconds(tracking, "p50", "p99"), ""))
        if case["slow"]:
            beside = " and ".join(milliseconds(one, "p50", "p99") for one in account["beside"].values())
            slow = len(case["slow"])
            rows.append((f"the same while {slow} other subscribers read, and while they do not, p50 / p99", beside, ""))
            back = [one for one in case["slow"] if one["behind_frames"] >= 0]
            away = " / ".join(f"{one['away_seconds']:.0f}" for one in back)
            behind = " / ".join(str(one["behind_frames"]) for one in back)
            if back:
                what = f"{len(back)} of these {slow} back after {away} s: frames from their first message to the newest"
                rows.append((what, behind, ""))
    return rows


def _soak(result: dict[str, Any]) -> list[Row]:
    numbers = result["numbers"]
    silent = max(0, numbers["missed"] - numbers["overflows"])
    return [(
        f"{result['frames']:,} frames as fast as they go: growth of memory after the first "
        f"{result['warm_seconds']:.0f} s; frame numbers silently lost / repeated",
        f"{result['growth_mb']:.1f} MB; {silent} / {numbers['repeated']}", "",
    )]  # fmt: skip


def _clips(result: dict[str, Any]) -> list[Row]:
    sides = {row["who"]: row for row in result["clips"]}
    ours = sides["ours"]
    peer = next((row for who, row in sides.items() if who != "ours"), None)
    frames = sum(row["frames"] for row in ours["rows"])

    def both(name: str, show: Callable[[float | None], str]) -> tuple[str, str]:
        return show(ours[name]), f"{show(peer[name])} (its video mode)" if peer else ""

    rows = [
        (f"face found where the teacher finds one, {len(ours['rows'])} clips, {frames:,} frames",
         percent(ours["found_share"]), ""),
        ("distance to the teacher's 478 landmarks, of the inter-ocular distance", *both("nme", percent)),
        ("correlation with the teacher's scores within a clip, shapes that move",
         *both("correlation", decimal)),
    ]  # fmt: skip
    for name, r in result.get("without", [{}])[0].items():
        if name == "dead":
            rows.append(("the same without shapes that are dead in the teacher", decimal(r), ""))
    return rows


def _stills(result: dict[str, Any], suite: str, title: str) -> list[Row]:
    sides = result["stills"][suite]
    ours = sides[0]
    rows = [
        _row(f"{title}, {ours['images']:,} images: missed", sides, lambda s: percent(s["misses"] / s["images"], 1)),
        _row(f"{title}: error over the {ours['both']} faces both find", sides, lambda s: percent(s["nme_both"])),
    ]
    if ours["by_yaw"]:
        what = f"{title}: error of those found, yaw of 0-30 / 30-60 / 60-90 degrees"
        rows.append(_row(what, sides, lambda s: " / ".join(percent(nme) for _, nme in s["by_yaw"])))
    turned = [g for g in result.get("groups", {}).get(suite, []) if g["by"] == "yaw" and g["both"]]
    if turned:
        what = f"{title}: error over the faces both find, yaw of {' / '.join(g['label'] for g in turned)} degrees"
        mine, theirs = (" / ".join(percent(g["sides"][side]["nme_both"]) for g in turned) for side in (0, 1))
        rows.append((what, mine, theirs))
    if ours["pose"]:
        what = f"{title}: head rotation, geodesic, over the faces both find"
        rows.append(_row(what, sides, lambda s: f"{s['pose']['geodesic']:.2f} degrees"))
        what = f"{title}: of that pitch / yaw / roll, mean absolute error less the median offset"
        rows.append(
            _row(what, sides, lambda s: " / ".join(f"{d:.2f}" for d in s["pose"]["without_offset"]) + " degrees")
        )
    return rows


def _synthetic(result: dict[str, Any]) -> list[Row]:
    sides = result["synthetic"]
    title = f"rendered faces with exact truth, {sides[0]['both']} that both find"
    return [
        _row(f"{title}: mean absolute error of the shapes", sides, lambda s: f"{s['mean_absolute']:.3f}"),
        _row(f"{title}: correlation with the truth", sides, lambda s: decimal(s["correlation"])),
    ]


def _row(what: str, sides: list[dict[str, Any]], show: Callable[[dict[str, Any]], str]) -> Row:
    ours, peer = sides
    return what, show(ours), show(peer)


def _repeatability(result: dict[str, Any]) -> list[Row]:
    sides = [row for row in result["repeatability"]["rows"] if row["people"].startswith("photographs")]
    if len(sides) != 2:
        return []
    teacher, ours = sorted(sides, key=lambda row: row["who"] == "ours")
    what = f"{ours['frames']} photographs, each again turned by 2 degrees, smaller and noisy: landmarks move by"
    return [(what, percent(ours["nme"]), percent(teacher["nme"]))]


def _refine(result: dict[str, Any]) -> list[Row]:
    alone, one = result["rows"][:2]
    what = f"{result['sequences']} rendered people who move: error of 478 landmarks, of the inter-ocular distance"
    rows = [(what, f"{percent(one['error'])} ({percent(alone['error'])} without the refining step)", "")]
    return [*rows, *_bars(result.get("bars", []))]


def _bars(bars: list[dict[str, Any]]) -> list[Row]:
    """Each with the bar it is held to; one whose answer was wrong has no row."""
    return [
        (f"{bar['what']}, hot, on one thread, p50 (bar: {bar['target_ns'] / 1e3:g} us)",
         f"{bar['spread']['p50_ns'] / 1e3:.0f} us", "")
        for bar in bars if bar["spread"]
    ]  # fmt: skip


def _detector(result: dict[str, Any]) -> list[Row]:
    last = result["rows"][-1]
    recall = " / ".join(percent(share, 1) for share in last["recall"])
    return [
        ("faces of 6-12 / 12-30 / 30-90% of the frame's height found in composed frames", recall, ""),
        (f"faces seen in {result['faceless']:,} frames without one", str(last["false_faces"]), ""),
    ]


_PICTURES = {
    "smoothing.png": "Jitter at rest over lag in motion: each method at all its settings",
    "end_to_end.png": "How late the messages of frames are, down to the rarest",
}
"""Shown below the table where a bench has drawn them."""

_ROWS: dict[str, tuple[str, Callable[[dict[str, Any]], list[Row]]]] = {
    "latency": ("latency", _latency),
    "end_to_end": ("end_to_end", _end_to_end),
    "soak": ("soak", _soak),
    "accuracy_clips": ("accuracy", _clips),
    "accuracy_aflw2000": ("accuracy", lambda result: _stills(result, "aflw2000", "AFLW2000-3D")),
    "accuracy_w300": ("accuracy", lambda result: _stills(result, "w300", "300-W")),
    "repeatability": ("accuracy", _repeatability),
    "synthetic": ("accuracy", _synthetic),
    "refine": ("refine", _refine),
    "kernels": ("kernels", lambda result: _bars(result["bars"])),
    "smoothing": ("smoothing", calm.rows),
    "detector": ("detector", _detector),
}
"""File -> the bench that writes it and the rows of its result, in the README's order."""
