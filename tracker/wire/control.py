"""What is said on the control socket: a client asks for the publisher's clock, and gets four stamps' worth of answer.

Given stamps it makes the bytes of a request, an answer or an error, as docs/wire.md lays them out; given such bytes it
returns what they say, or raises WireError. It reads no clock and has never seen a socket.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tracker.errors import WireError
from tracker.wire.schema import VERSION_MAJOR, VERSION_MINOR

CLOCK = b"FWclock:"
ERROR = b"FWerror:"
HEAD = struct.Struct("<8sHHI")
"""Of every control message: kind, major, minor, bytes of the whole message."""
REQUEST = struct.Struct(HEAD.format + "q")
ANSWER = struct.Struct(HEAD.format + "qqqQ")
LONGEST = 1024
"""Bytes of a control message that is still looked at."""
_OUR_HEAD = (VERSION_MAJOR, VERSION_MINOR)


@dataclass(frozen=True, slots=True)
class Echo:
    """One answer. Stamps are nanoseconds of the monotonic clock of whoever took them."""

    sent_ns: int
    """By the client, when it asked; it comes back unchanged."""
    received_ns: int
    """By the publisher, when the request came."""
    answered_ns: int
    """By the publisher, when the answer went."""
    epoch: int
    """Of the publisher: as in its frames."""


def encode_request(sent_ns: int) -> bytes:
    """Ask for the clock; `sent_ns` is now, and tells answers apart."""
    return REQUEST.pack(CLOCK, *_OUR_HEAD, REQUEST.size, sent_ns)


def decode_request(data: bytes) -> int:
    """The stamp in a request. Raises WireError for anything else."""
    _check(data, CLOCK, REQUEST.size)
    stamp: int = REQUEST.unpack_from(data)[-1]
    return stamp


def encode_answer(echo: Echo) -> bytes:
    """Tell the clock."""
    return ANSWER.pack(
        CLOCK, *_OUR_HEAD, ANSWER.size, echo.sent_ns, echo.received_ns, echo.answered_ns, echo.epoch
    )  # fmt: skip


def decode_answer(data: bytes) -> Echo:
    """Read an answer. Raises WireError for anything else, with the publisher's own words where it sent an error."""
    if data[:8] == ERROR:
        _check(data, ERROR, HEAD.size)
        said = "".join(letter for letter in data[HEAD.size :].decode(errors="replace") if letter.isprintable())
        raise WireError(f"the publisher refused: {said}")
    _check(data, CLOCK, ANSWER.size)
    return Echo(*ANSWER.unpack_from(data)[4:])


def encode_error(why: str) -> bytes:
    """Refuse, and say why."""
    text = why.encode(errors="replace")[: LONGEST - HEAD.size]
    return HEAD.pack(ERROR, *_OUR_HEAD, HEAD.size + len(text)) + text


def _check(data: bytes, kind: bytes, fewest: int) -> None:
    """A newer minor version may be longer; another major one is something else."""
    if len(data) < HEAD.size:
        raise WireError(f"{len(data)} bytes are no control message ({HEAD.size} at least); see docs/wire.md")
    found, major, _, size = HEAD.unpack_from(data)
    if found != kind:
        raise WireError(f"control message of kind {found!r}; valid: {kind!r}")
    if major != VERSION_MAJOR:
        raise WireError(f"control message of version {major}; this is {VERSION_MAJOR}; upgrade the older side")
    if size != len(data) or size < fewest:
        raise WireError(f"control message of {len(data)} bytes that says {size}; it takes {fewest} or more")
