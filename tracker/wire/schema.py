"""What a message says, and where each number stands: the layout that docs/wire.md documents byte by byte.

Given nothing, it holds the two dataclasses that cross the socket and the tables of sizes. Every change of the layout
is a change here, in docs/wire.md and in tests/golden, with a new version. It does not pack or unpack.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from tracker.face.parameters import EXPRESSIONS, LANDMARKS, Face

VERSION_MAJOR = 1
"""Changes when an older client would misread a message; such a client refuses it."""
VERSION_MINOR = 1
"""Changes when something is added that an older client can skip."""

MAGIC = b"FWIR"
PREAMBLE = struct.Struct("<4sHHII")
"""At byte 72, in every message: magic, major, minor, header bytes (from the magic on), message bytes (all of it)."""
HEADER = struct.Struct("<QQ8sqIIqqqqqqQIIddddIHH")
"""At byte 88, in a frame: epoch, sequence, model hash, pts, time base, six stamps, dropped, size, camera, flags, faces,
reserved."""
HEADER_BYTES = PREAMBLE.size + HEADER.size
HAS_PTS = 1
MIRRORED = 2

BLOCK = struct.Struct("<HHI")
"""Before every block: id, reserved (0), bytes that follow (a multiple of 4)."""


class FrameBlock(IntEnum):
    """What may follow a frame's header. Others are skipped."""

    FACE = 1
    AHEAD = 2


AHEAD = struct.Struct("<q")
"""The payload of the frame's block of that name, which is left out for 0."""


class FaceBlock(IntEnum):
    """What may stand in a face's block. Others are skipped."""

    TRACK = 1
    POSE = 2
    EXPRESSION = 3
    IDENTITY = 4
    GAZE = 5
    LIGHTING = 6
    CONFIDENCE = 7
    DEVIATION = 8
    LANDMARKS = 9
    MESH = 10
    CALIBRATION = 11


OPTIONAL = frozenset({FaceBlock.LANDMARKS, FaceBlock.MESH, FaceBlock.CALIBRATION})
REQUIRED = frozenset(FaceBlock) - OPTIONAL

BLOCK_BYTES: dict[int, int] = {
    FaceBlock.TRACK: 8,
    FaceBlock.POSE: 4 * 14,
    FaceBlock.EXPRESSION: 4 * 2 * EXPRESSIONS,
    FaceBlock.IDENTITY: 4,
    FaceBlock.GAZE: 4 * 6,
    FaceBlock.LIGHTING: 4 * 27,
    FaceBlock.CONFIDENCE: 4 * 6,
    FaceBlock.DEVIATION: 4 * (EXPRESSIONS + 6),
    FaceBlock.LANDMARKS: 4 * 3 * LANDMARKS,
    FaceBlock.MESH: 4,
    FaceBlock.CALIBRATION: 8,
}
"""Fewest bytes of each block; identity and mesh are a count and then that many. A newer minor may append to any."""


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What is known about a frame before it is published. Stamps are nanoseconds of the monotonic clock."""

    source_id: str
    """1 to 63 bytes of UTF-8."""
    pts: int | None
    """Presentation time in units of the time base, or None."""
    time_base_num: int
    time_base_den: int
    captured_ns: int
    """When the picture was taken, as far as is known; for an unpaced file, when it was decoded."""
    decoded_ns: int
    """When its planes were ready."""
    inferred_ns: int
    """When its faces were known."""
    width_px: int
    height_px: int
    fx: float
    """Pinhole camera in pixels, as are fy, cx and cy."""
    fy: float
    cx: float
    cy: float
    dropped: int = 0
    """Frames the source dropped so far to stay current."""
    mirrored: bool = False
    """Everything in the message is as a mirror would show it."""
    ahead_ns: int = 0
    """Filtered values are a prediction for so long after the picture was taken."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameMessage(FrameHeader):
    """One message: one source frame with 0 to N faces. It is the header with what publishing adds.

    The last three fields do not travel as such: they say what a message has beside its faces, or how it came.
    """

    epoch: int = 0
    """Of the publisher: new and larger each time one starts."""
    sequence: int = 0
    """Of this source's frames within the epoch, from 0, one by one; a gap is a loss."""
    model_hash: bytes = bytes(8)
    """Of the face model that identity, mesh and landmarks belong to."""
    published_ns: int = 0
    """When the message was handed to the socket."""
    anchor_monotonic_ns: int = 0
    """An instant on the publisher's monotonic clock ..."""
    anchor_wall_ns: int = 0
    """... and the same instant in nanoseconds since the Unix epoch."""
    version_major: int = VERSION_MAJOR
    version_minor: int = VERSION_MINOR
    faces: tuple[Face, ...] = ()
    has_landmarks: bool = True
    """False where the publisher leaves them out: every `landmarks_px` is then NaN."""
    meshes: tuple[np.ndarray | None, ...] = ()
    """One per face, float32 [V, 3] in head space in mm, or None; empty without any."""
    received_ns: int | None = None
    """When the subscriber had it, on its own monotonic clock; None if it did not come by a socket."""

    @property
    def pts_seconds(self) -> float | None:
        """`pts` in seconds, or None without time."""
        return None if self.pts is None else self.pts * self.time_base_num / self.time_base_den

    def wall_ns(self, stamp_ns: int) -> int:
        """One of this message's stamps as nanoseconds since the Unix epoch, by the publisher's wall clock."""
        return stamp_ns - self.anchor_monotonic_ns + self.anchor_wall_ns

    def __repr__(self) -> str:
        states = ", ".join(f"{face.track_id} {face.state.name.lower()}" for face in self.faces)
        return (
            f"FrameMessage({self.source_id!r} #{self.sequence}, {self.width_px}x{self.height_px}, "
            f"pts={self.pts} of {self.time_base_num}/{self.time_base_den} s, faces=[{states}])"
        )


HEADER_FIELDS: tuple[str, ...] = tuple(field.name for field in fields(FrameHeader))
