"""Topics: the first 72 bytes of every message, and the prefixes that select them.

A topic is eight letters for the kind and 64 bytes for the source id, ended and filled up with NUL. ZeroMQ selects by
prefix, so a subscription to one source includes the NUL: `cam1` must not select `cam10`. Sockets are not known here.
"""

from __future__ import annotations

from functools import lru_cache

from tracker.errors import WireError

FRAME = b"FWframe:"
HELLO = b"FWhello:"
KIND_BYTES = 8
SOURCE_BYTES = 64
TOPIC_BYTES = KIND_BYTES + SOURCE_BYTES


@lru_cache(maxsize=64)
def topic(kind: bytes, source_id: str) -> bytes:
    """The whole topic field, 72 bytes. Raises WireError for an id that does not fit."""
    name = source_id.encode(errors="replace")
    if not 0 < len(name) < SOURCE_BYTES or not source_id.isprintable():
        raise WireError(f"source id {source_id[:99]!r} is not 1 to 63 bytes of printable UTF-8; give such as camera0")
    return kind + name.ljust(SOURCE_BYTES, b"\0")


def prefix(kind: bytes, source_id: str | None = None) -> bytes:
    """What to subscribe to: one source, or every source without `source_id`."""
    return kind if source_id is None else topic(kind, source_id)[: KIND_BYTES + len(source_id.encode()) + 1]


def source_of(message: bytes | memoryview) -> str:
    """The source id in a message of at least 72 bytes. Raises WireError where there is none."""
    field = bytes(message[KIND_BYTES:TOPIC_BYTES])
    name, end, rest = field.partition(b"\0")
    if not name or not end or rest.strip(b"\0"):
        raise WireError(f"the topic's source id is {field[:16]!r}...; it must be text ended and filled up with NUL")
    try:
        source_id = name.decode()
    except UnicodeDecodeError as error:
        raise WireError(f"the topic's source id is not UTF-8 ({error})") from error
    if not source_id.isprintable():  # it is going to be printed, and a terminal obeys what is not
        raise WireError(f"the topic's source id {source_id!r} is not printable")
    return source_id
