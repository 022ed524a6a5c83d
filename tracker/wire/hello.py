"""The hello: what a publisher's messages mean, in words, for whoever tunes in.

Given the publisher's names it makes one message of JSON under its own topic; given such bytes it returns a `Hello`. A
client that knows the schema needs none of it; one that records, or is written in another language, keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from tracker.errors import WireError
from tracker.face.expression import ARKIT_NAMES, REGIONS
from tracker.face.parameters import EXPRESSIONS, LANDMARKS, TrackState
from tracker.wire import topics
from tracker.wire.codec import check_preamble
from tracker.wire.schema import MAGIC, PREAMBLE, VERSION_MAJOR, VERSION_MINOR, FaceBlock

AXES = "OpenCV camera axes: x right, y down, z forward, right-handed; left and right are the subject's"
HEAD = (
    "origin midway between the eyeball centres; axes parallel to the camera's when the head looks straight into it; "
    "rotation is cam_from_head as a quaternion xyzw"
)
UNITS = {
    "translation": "mm",
    "mesh": "mm, head space",
    "landmarks": "px; z at the same scale, relative to the head's origin, nearer is smaller",
    "camera": "px",
    "gaze": "unit vector, head space",
    "expression": "0..1",
    "identity": "standard deviations over people",
    "confidence": "0..1",
    "stamps": "ns, the publisher's monotonic clock",
}
BLOCKS: dict[str, list[list[int | str]]] = {
    "track": [["u32"], ["u8"]],
    "pose": [["quaternion", 4], ["translation", 3], ["quaternion_raw", 4], ["translation_raw", 3]],
    "expression": [["filtered", EXPRESSIONS], ["raw", EXPRESSIONS]],
    "identity": [["u32 count"], ["identity", "count"]],
    "gaze": [["left, right", 2, 3]],
    "lighting": [["spherical harmonics, order 2", 9, 3]],
    "confidence": [["overall", 1], ["regions", len(REGIONS)]],
    "deviation": [["expression", EXPRESSIONS], ["identity", 1], ["rotation_rad", 1], ["translation_mm", 3],
                  ["landmarks_px", 1]],
    "landmarks": [["landmarks", LANDMARKS, 3]],
    "mesh": [["u32 count"], ["vertices", "count", 3]],
    "calibration": [["8 bytes"]],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hello:
    """What a publisher says of itself. Everything has a default, so that an older or newer one can be read."""

    source_id: str
    epoch: int
    schema: str
    """`major.minor`."""
    model_version: str
    model_hash: str
    """Hexadecimal, as in every frame."""
    mirrored: bool = False
    """The publisher mirrors what it publishes."""
    control: str = ""
    """Where it answers questions about its clock, as it is bound; empty where it does not."""
    expression: tuple[str, ...] = ARKIT_NAMES
    regions: tuple[str, ...] = REGIONS
    states: tuple[str, ...] = tuple(state.name.lower() for state in TrackState)
    axes: str = AXES
    head: str = HEAD
    units: dict[str, str] = field(default_factory=lambda: dict(UNITS))
    block_ids: dict[str, int] = field(default_factory=lambda: {b.name.lower(): int(b) for b in FaceBlock})
    blocks: dict[str, list[list[int | str]]] = field(default_factory=lambda: dict(BLOCKS))
    """What stands in each block, in order: a name and a shape of float32, an integer's type, or so many bytes."""


def encode_hello(hello: Hello) -> bytes:
    """The message, topic and all."""
    head = topics.topic(topics.HELLO, hello.source_id)
    body = msgspec.json.encode(hello)
    size = len(head) + PREAMBLE.size + len(body)
    return head + PREAMBLE.pack(MAGIC, VERSION_MAJOR, VERSION_MINOR, PREAMBLE.size, size) + body


def decode_hello(data: bytes) -> Hello:
    """Read a hello. Raises WireError for anything else, for a cut one and for a newer major version."""
    _, _, header_bytes = check_preamble(data, topics.HELLO)
    begin = topics.TOPIC_BYTES + header_bytes
    if header_bytes < PREAMBLE.size or begin > len(data):
        raise WireError(f"a hello's header of {header_bytes} bytes in a message of {len(data)}")
    try:
        return msgspec.json.decode(data[begin:], type=Hello)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"the hello is not the JSON it should be ({error})") from error
