"""docs/wire.md and the code say the same: offsets follow each other, and sizes are those of the tables."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from tracker.face.parameters import TrackState
from tracker.wire.schema import (
    BLOCK,
    BLOCK_BYTES,
    HEADER,
    HEADER_BYTES,
    PREAMBLE,
    VERSION_MAJOR,
    VERSION_MINOR,
    FaceBlock,
)
from tracker.wire.topics import TOPIC_BYTES

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "wire.md").read_text(encoding="utf-8")
CODES = {"u16": "H", "u32": "I", "u64": "Q", "i64": "q", "f64": "d"}


def section(heading: str) -> list[list[str]]:
    """Table rows under a heading, as cells."""
    text = DOCUMENT.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [row for row in rows if row[0].isdigit()]


@pytest.mark.parametrize(
    ("heading", "begin", "layout"),
    [("Topic", 0, None), ("Preamble", TOPIC_BYTES, PREAMBLE), ("Header of a frame", TOPIC_BYTES + 16, HEADER)],
)
def test_fields_follow_each_other(heading: str, begin: int, layout: struct.Struct | None) -> None:
    at, codes = begin, "<"
    for offset, size, kind, _ in section(heading):
        assert int(offset) == at
        at += int(size)
        codes += CODES.get(kind, f"{size}s")
        assert kind == "bytes" or struct.calcsize("<" + CODES[kind]) == int(size)
    assert at == (TOPIC_BYTES if layout is None else begin + layout.size)
    if layout is not None:
        assert struct.Struct(codes).unpack(bytes(layout.size)) == layout.unpack(bytes(layout.size))
        assert codes == re.sub(r"(\d*)([HIQqd])", lambda m: m[2] * int(m[1] or 1), layout.format)


def test_header_and_version() -> None:
    assert f"{HEADER_BYTES} in schema {VERSION_MAJOR}.{VERSION_MINOR}" in DOCUMENT
    assert DOCUMENT.startswith(f"# The wire, schema {VERSION_MAJOR}.{VERSION_MINOR}\n")
    assert BLOCK.size == 8


def test_blocks_of_a_face() -> None:
    rows = {int(row[0]): row for row in section("Blocks of a face")}
    assert {number: row[1] for number, row in rows.items()} == {int(b): b.name.lower() for b in FaceBlock}
    for number, row in rows.items():
        assert int(row[2].split(" ")[0]) == BLOCK_BYTES[number]


def test_states() -> None:
    for state in TrackState:
        assert f"{int(state)} {state.name.lower()}" in DOCUMENT
