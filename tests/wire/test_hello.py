"""The hello says what the blocks hold, and agrees with the layout."""

from __future__ import annotations

import struct

import msgspec
import numpy as np
import pytest

from tracker.errors import WireError
from tracker.wire import Hello, decode, decode_hello, encode_hello
from tracker.wire.schema import BLOCK_BYTES, FaceBlock

HELLO = Hello("camera0", 17, "1.0", "1.2", "00112233aabbccdd", mirrored=True)


def test_round_trip() -> None:
    assert decode_hello(encode_hello(HELLO)) == HELLO


def test_it_is_plain_json_for_others() -> None:
    known = msgspec.json.decode(encode_hello(HELLO)[88:])
    assert known["expression"][0] == "eyeBlinkLeft" and len(known["expression"]) == 52
    assert known["states"] == ["acquiring", "tracking", "coasting", "lost"]
    assert "x right" in known["axes"] and known["units"]["translation"] == "mm"


@pytest.mark.parametrize("block", sorted(FaceBlock))
def test_shapes_agree_with_the_layout(block: FaceBlock) -> None:
    """Numbers in the hello's shapes make up the bytes in the table; a count stands for none."""
    sizes = {"u32": 4, "u32 count": 4, "u8": 4, "8 bytes": 8}  # u8 with its padding
    total = 0
    for name, *shape in HELLO.blocks[block.name.lower()]:
        total += sizes[name] if not shape else 0 if "count" in shape else 4 * int(np.prod(shape))
    assert total == BLOCK_BYTES[block]
    assert HELLO.block_ids[block.name.lower()] == block


def test_a_newer_hello_with_more_in_it_is_read() -> None:
    data = encode_hello(HELLO)
    longer = data[:-1] + b',"of_tomorrow":[1,2]}'
    longer = longer[:84] + struct.pack("<I", len(longer)) + longer[88:]
    assert decode_hello(longer) == HELLO


def test_what_is_no_hello() -> None:
    data = encode_hello(HELLO)
    for length in range(len(data)):
        with pytest.raises(WireError):
            decode_hello(data[:length])
    with pytest.raises(WireError, match="newer"):
        decode_hello(data[:76] + struct.pack("<H", 2) + data[78:])
    with pytest.raises(WireError, match="JSON"):
        decode_hello(data[:88] + b"\xff" + data[89:])
    with pytest.raises(WireError, match="subscription"):
        decode(data)
    with pytest.raises(WireError, match="header"):
        decode_hello(data[:80] + struct.pack("<I", 2**31) + data[84:])
