"""What is said over the socket. Names are re-exported here; each module says what it does."""

from tracker.wire.codec import decode, encode
from tracker.wire.hello import Hello, decode_hello, encode_hello
from tracker.wire.schema import FrameHeader, FrameMessage

__all__ = [
    "FrameHeader",
    "FrameMessage",
    "Hello",
    "decode",
    "decode_hello",
    "encode",
    "encode_hello",
]
