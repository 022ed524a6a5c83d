"""Control messages, byte by byte, and what is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tracker.errors import WireError
from tracker.wire.control import (
    ANSWER,
    LONGEST,
    REQUEST,
    Echo,
    decode_answer,
    decode_request,
    encode_answer,
    encode_error,
    encode_request,
)

ECHO = Echo(-5, 2**62, 2**62 + 7, 2**64 - 1)


def test_they_stand_where_the_document_says() -> None:
    assert encode_request(77) == b"FWclock:" + struct.pack("<HHIq", 1, 1, 24, 77)
    assert encode_answer(ECHO) == b"FWclock:" + struct.pack("<HHIqqqQ", 1, 1, 48, -5, 2**62, 2**62 + 7, 2**64 - 1)
    assert encode_error("no") == b"FWerror:" + struct.pack("<HHI", 1, 1, 18) + b"no"


def test_round_trips() -> None:
    assert decode_request(encode_request(-(2**63))) == -(2**63)
    assert decode_answer(encode_answer(ECHO)) == ECHO


def test_an_error_comes_as_what_was_said() -> None:
    with pytest.raises(WireError, match="refused: not like this"):
        decode_answer(encode_error("not like\x1b this"))
    assert len(encode_error("x" * 5000)) == LONGEST


def longer(data: bytes, minor: int = 9) -> bytes:
    """The same as a newer minor version may send it."""
    return data[:8] + struct.pack("<HHI", 1, minor, len(data) + 8) + data[16:] + b"newthing"


def test_a_newer_minor_version_is_read_and_another_major_one_is_not() -> None:
    assert decode_request(longer(encode_request(3))) == 3 and decode_answer(longer(encode_answer(ECHO))) == ECHO
    other = encode_request(3)[:8] + struct.pack("<HHIq", 2, 0, 24, 3)
    with pytest.raises(WireError, match="version 2"):
        decode_request(other)


@pytest.mark.parametrize(("good", "read"), [(encode_request(3), decode_request), (encode_answer(ECHO), decode_answer)])
def test_what_is_none_is_refused(good: bytes, read) -> None:  # type: ignore[no-untyped-def]
    for length in range(len(good)):
        with pytest.raises(WireError):
            read(good[:length])
    rng = np.random.default_rng(0)
    for wrong in [good + b"\0", b"FWframe:" + good[8:], *(rng.bytes(int(rng.integers(0, 100))) for _ in range(200))]:
        with pytest.raises(WireError):
            read(wrong)
    assert REQUEST.size == 24 and ANSWER.size == 48
