"""The table of `docs/latency.md`: end to end by the size of the picture, its rate and its faces.

Given the folder of results it returns the table of `end_to_end_sizes.json`. It measures nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracker.bench.figures import milliseconds
from tracker.bench.line import machine_of, shown
from tracker.bench.report import percent
from tracker.errors import SourceError

FILE = "end_to_end_sizes.json"
_HEADERS = ("picture", "decode, p50 / p99", "decoded to published, p50 / p99",
            "due to this or a newer one, p50 / p95 / p99", "dropped", "faces seen")  # fmt: skip


def sizes(results: Path) -> str:
    """One row a case, as Markdown; SourceError where there is none."""
    path = results / FILE
    if not path.is_file():
        raise SourceError(f"no {path}; run `facewire bench end-to-end --sizes 360,720,1080 ... --out {path}` first")
    return shown(path, "end_to_end", _table)


def _table(line: dict[str, Any]) -> str:
    result = line["result"]
    rows = [_HEADERS, ("---",) * len(_HEADERS)]
    for case in result["cases"]:
        account, stages = case["account"], case["account"]["stages"]
        rows.append((
            case["what"], milliseconds(stages["decode"], "p50", "p99"),
            milliseconds(stages["decoded to published"], "p50", "p99"),
            milliseconds(stages["due to this or a newer one"], "p50", "p95", "p99"),
            percent(account["dropped"] / account["due"]), f"{account['faces_mean']:.2f}",
        ))  # fmt: skip
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{machine_of(line).name}, {result['minutes']:g} minutes each:\n\n{table}"
