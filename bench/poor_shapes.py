"""Shapes known to be poor in the teacher, from the result of the repeatability suite that lies beside the benches.

Given that JSON it names the shapes that the teacher does not repeat and those it does not move with the truth, with the
bounds that decided. It decides nothing: `repeatability` did, on training clips and rendered faces.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from tracker.errors import AssetError

COMPUTED = Path(__file__).parent / "results" / "repeatability.json"


@dataclass(frozen=True, slots=True)
class PoorShapes:
    """Two lists, kept apart, since their reasons differ."""

    unsteady: tuple[str, ...] = ()
    """The teacher does not say them twice of the same frame."""
    dead: tuple[str, ...] = ()
    """The teacher's score has nothing to do with the coefficient that a face was rendered with."""
    unsteady_below: float = float("nan")
    fewest_clips: int = 0
    dead_below: float = float("nan")
    own_r: dict[str, float] = field(default_factory=dict)
    """Shape -> the teacher's r with itself on training clips, for those judged."""
    truth_r: dict[str, float] = field(default_factory=dict)
    """Shape -> the teacher's r with the truth of rendered faces."""

    def lists(self) -> dict[str, tuple[str, ...]]:
        """What is left out -> its shapes, from nothing to both lists."""
        both = tuple(dict.fromkeys((*self.unsteady, *self.dead)))
        return {"nothing": (), "unsteady": self.unsteady, "dead": self.dead, "unsteady and dead": both}

    def why(self, name: str) -> str:
        """`unsteady`, `dead`, both, or nothing."""
        return ", ".join(word for word, names in (("unsteady", self.unsteady), ("dead", self.dead)) if name in names)


def read(path: Path = COMPUTED) -> PoorShapes | None:
    """The lists, or None where they were never computed. Raises AssetError for a file that is something else."""
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["result"]["repeatability"]
        teacher, fewest = found["rows"][0], found["fewest_clips"]
        judged = {name for name, clips in teacher["clips_by_shape"].items() if clips >= fewest}
        return PoorShapes(
            tuple(found["unsteady"]), tuple(found["dead"]), found["unsteady_below"], fewest,
            float("nan") if found["dead_below"] is None else found["dead_below"],
            {name: r for name, r in teacher["by_shape"].items() if name in judged}, found["by_truth"],
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise AssetError(
            f"{path} is no result of the repeatability suite; write it again: "
            "facewire bench accuracy DATA --suite repeatability --out FILE"
        ) from error
