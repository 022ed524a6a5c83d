"""Topics select the source that was meant, and nothing unprintable gets through."""

from __future__ import annotations

import pytest

from tracker.errors import WireError
from tracker.wire import topics


def test_a_topic_is_72_bytes_and_gives_its_source_back() -> None:
    for source_id in ("a", "camera0", "Küche/2", "x" * 63):
        assert len(topics.topic(topics.FRAME, source_id)) == topics.TOPIC_BYTES == 72
        assert topics.source_of(topics.topic(topics.FRAME, source_id) + b"rest") == source_id


def test_a_prefix_selects_its_source_only() -> None:
    one = topics.topic(topics.FRAME, "cam1")
    ten = topics.topic(topics.FRAME, "cam10")
    assert one.startswith(topics.prefix(topics.FRAME, "cam1"))
    assert not ten.startswith(topics.prefix(topics.FRAME, "cam1"))
    assert not one.startswith(topics.prefix(topics.FRAME, "cam10"))
    assert one.startswith(topics.prefix(topics.FRAME)) and ten.startswith(topics.prefix(topics.FRAME))


def test_the_hello_is_not_among_the_frames() -> None:
    assert not topics.topic(topics.HELLO, "cam1").startswith(topics.prefix(topics.FRAME))


@pytest.mark.parametrize("source_id", ["", "x" * 64, "ü" * 32, "a\0b", "a\x1b[2J", "two\nlines", "\ud800"])
def test_ids_that_do_not_fit(source_id: str) -> None:
    with pytest.raises(WireError, match="source id"):
        topics.topic(topics.FRAME, source_id)


@pytest.mark.parametrize(
    "field", [b"\0" * 64, b"x" * 64, b"a\0b".ljust(64, b"\0"), b"\xff\0".ljust(64, b"\0"), b"\x1b[2J".ljust(64, b"\0")]
)
def test_fields_that_are_no_id(field: bytes) -> None:
    with pytest.raises(WireError, match="source id"):
        topics.source_of(topics.FRAME + field)
