"""Messages to bytes and back, as docs/wire.md lays them out.

Given a `FrameMessage` it writes one buffer; given bytes it returns the `FrameMessage` whose arrays are read-only views
of them, or raises WireError for anything that is not one. It holds no state and has never seen a socket.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np

from tracker.errors import WireError
from tracker.face.parameters import EXPRESSIONS, LANDMARKS, Deviation, Face, TrackState
from tracker.wire import topics
from tracker.wire.schema import (
    AHEAD,
    BLOCK,
    BLOCK_BYTES,
    HAS_PTS,
    HEADER,
    HEADER_BYTES,
    MAGIC,
    MIRRORED,
    PREAMBLE,
    REQUIRED,
    VERSION_MAJOR,
    VERSION_MINOR,
    FaceBlock,
    FrameBlock,
    FrameMessage,
)  # fmt: skip

PROFILE_ID_BYTES = BLOCK_BYTES[FaceBlock.CALIBRATION]
_AT_PREAMBLE = topics.TOPIC_BYTES
_AHEAD = struct.Struct(BLOCK.format + AHEAD.format[1:])
_AT_HEADER = _AT_PREAMBLE + PREAMBLE.size
_AT_BLOCKS = _AT_PREAMBLE + HEADER_BYTES
_F4 = np.dtype("<f4")
_TRACK = struct.Struct("<IB3x")
_POSE = struct.Struct("<14f")
_COUNT = struct.Struct("<I")


def _joined(*parts: struct.Struct) -> struct.Struct:
    """One after the other, without padding."""
    return struct.Struct("<" + "".join(part.format.removeprefix("<") for part in parts))


_WHOLE_HEADER = _joined(PREAMBLE, HEADER)
_FACE_TO_SHAPES = _joined(BLOCK, BLOCK, _TRACK, BLOCK, _POSE, BLOCK)
_CONFIDENCE = struct.Struct(BLOCK.format + "f")
_FACE = (int(FrameBlock.FACE), 0)
_TRACK_HEAD, _POSE_HEAD, _EXPRESSION_HEAD, _CONFIDENCE_HEAD = (
    (int(block), 0, BLOCK_BYTES[block])
    for block in (FaceBlock.TRACK, FaceBlock.POSE, FaceBlock.EXPRESSION, FaceBlock.CONFIDENCE)
)
_BEFORE_DEVIATION = BLOCK.pack(FaceBlock.DEVIATION, 0, BLOCK_BYTES[FaceBlock.DEVIATION])
_ERRORS = struct.Struct("<6f")
_STAMPS = attrgetter(
    "time_base_num", "time_base_den", "captured_ns", "decoded_ns", "inferred_ns", "published_ns",
    "anchor_monotonic_ns", "anchor_wall_ns", "dropped", "width_px", "height_px", "fx", "fy", "cx", "cy",
)  # fmt: skip
_NO_LANDMARKS = np.full((LANDMARKS, 3), np.nan, np.float32)
_NO_LANDMARKS.setflags(write=False)
_UPGRADE = "upgrade facewire where this client runs (pip install --upgrade facewire)"


@dataclass(frozen=True, slots=True)
class _Layout:
    """What stands between the numbers of a face with so many identity coefficients, and with these optional blocks."""

    size: int
    """Bytes of the whole block, its own header included."""
    face: int
    """Bytes that follow that header."""
    identity: bytes
    gaze: bytes
    lighting: bytes
    landmarks: bytes
    mesh: bytes
    calibration: bytes


@lru_cache(maxsize=64)
def _layout(identity: int, landmarks: bool, mesh_vertices: int | None, calibrated: bool) -> _Layout:
    sizes = BLOCK_BYTES | {FaceBlock.IDENTITY: 4 + 4 * identity, FaceBlock.MESH: 4 + 12 * (mesh_vertices or 0)}
    present = [block for block in FaceBlock if block in REQUIRED]
    present += [FaceBlock.LANDMARKS] * landmarks + [FaceBlock.MESH] * (mesh_vertices is not None)
    present += [FaceBlock.CALIBRATION] * calibrated
    face = sum(BLOCK.size + sizes[block] for block in present)
    before = {block: BLOCK.pack(block, 0, sizes[block]) for block in FaceBlock}
    before[FaceBlock.IDENTITY] += _COUNT.pack(identity)
    before[FaceBlock.MESH] += _COUNT.pack(mesh_vertices or 0)
    kinds = (
        FaceBlock.IDENTITY, FaceBlock.GAZE, FaceBlock.LIGHTING, FaceBlock.LANDMARKS, FaceBlock.MESH,
        FaceBlock.CALIBRATION,
    )  # fmt: skip
    return _Layout(BLOCK.size + face, face, *(before[kind] for kind in kinds))


def _layout_of(face: Face, mesh: np.ndarray | None, landmarks: bool) -> _Layout:
    return _layout(len(face.identity), landmarks, None if mesh is None else len(mesh), bool(face.profile_id))


def _layouts(message: FrameMessage) -> list[tuple[Face, np.ndarray | None, _Layout]]:
    meshes = message.meshes or (None,) * len(message.faces)
    if len(meshes) != len(message.faces):
        raise WireError(f"{len(meshes)} meshes for {len(message.faces)} faces; give one for each (None is one), or ()")
    return [
        (face, mesh, _layout_of(face, mesh, message.has_landmarks))
        for face, mesh in zip(message.faces, meshes, strict=True)
    ]


def encode(message: FrameMessage) -> bytes:
    """`message` as this version's schema. Raises WireError for a value that does not fit its field and for a rotation
    that is none."""
    parts = _layouts(message)
    size = _AT_BLOCKS + bool(message.ahead_ns) * _AHEAD.size + sum(layout.size for _, _, layout in parts)
    try:
        pieces: list[Any] = [topics.topic(topics.FRAME, message.source_id), _header(message, size)]
        for face, mesh, layout in parts:
            _add_face(pieces, face, layout)
            if message.has_landmarks:
                pieces += (layout.landmarks, _floats_of(face.landmarks_px))
            if mesh is not None:
                pieces += (layout.mesh, _floats_of(mesh))
            if face.profile_id:
                pieces += (layout.calibration, face.profile_id)
        if message.ahead_ns:
            pieces.append(_AHEAD.pack(FrameBlock.AHEAD, 0, AHEAD.size, message.ahead_ns))
        written = b"".join(pieces)  # one copy of each piece: arrays are memory, too
        if len(written) != size:
            raise ValueError(f"{len(written)} bytes where {size} belong: an array is not of its field's shape")
    except (struct.error, OverflowError, ValueError, TypeError, AttributeError) as error:
        raise WireError(f"{message!r} cannot be encoded: {error}") from error
    return written


def _header(message: FrameMessage, size: int) -> bytes:
    if len(message.model_hash) != 8:
        raise ValueError(f"the model hash has {len(message.model_hash)} bytes, not 8")
    if message.time_base_den < 1:
        raise ValueError(f"time base {message.time_base_num}/{message.time_base_den}")
    if not message.width_px or not message.height_px:
        raise ValueError(f"a picture of {message.width_px} x {message.height_px} px")
    flags = (message.pts is not None) * HAS_PTS | bool(message.mirrored) * MIRRORED
    return _WHOLE_HEADER.pack(
        MAGIC, VERSION_MAJOR, VERSION_MINOR, HEADER_BYTES, size, message.epoch, message.sequence, message.model_hash,
        message.pts or 0, *_STAMPS(message), flags, len(message.faces), 0,
    )  # fmt: skip


def _floats_of(array: np.ndarray) -> np.ndarray:
    """The array itself where its memory is what the wire carries; else a copy that is."""
    return array if array.dtype == _F4 and array.flags.c_contiguous else np.ascontiguousarray(array, _F4)


def _add_face(pieces: list[Any], face: Face, layout: _Layout) -> None:
    """Everything but the optional blocks, in the order of the document."""
    deviation = face.deviation
    pieces += (
        _FACE_TO_SHAPES.pack(
            *_FACE, layout.face, *_TRACK_HEAD, face.track_id, face.state,
            *_POSE_HEAD, *_quaternion(face.rotation), *face.translation_mm.tolist(),
            *_quaternion(face.rotation_raw), *face.translation_raw_mm.tolist(), *_EXPRESSION_HEAD,
        ),
        _floats_of(face.blendshapes), _floats_of(face.blendshapes_raw),
        layout.identity, _floats_of(face.identity),
        layout.gaze, _floats_of(face.gaze),
        layout.lighting, _floats_of(face.lighting),
        _CONFIDENCE.pack(*_CONFIDENCE_HEAD, face.confidence), _floats_of(face.region_confidence),
        _BEFORE_DEVIATION, _floats_of(deviation.expression),
        _ERRORS.pack(
            deviation.identity, deviation.rotation_rad, *deviation.translation_mm.tolist(), deviation.landmarks_px
        ),
    )  # fmt: skip


def decode(data: bytes, received_ns: int | None = None) -> FrameMessage:
    """Read one message. Arrays are float32 views of `data`, which they keep alive.

    Raises WireError for anything that is no frame, is cut short or contradicts itself, and for a newer major version;
    of a newer minor version what is unknown is skipped.
    """
    major, minor, header_bytes = check_preamble(data, topics.FRAME)
    if header_bytes < HEADER_BYTES or header_bytes % 4 or _AT_PREAMBLE + header_bytes > len(data):
        raise WireError(f"a header of {header_bytes} bytes in a message of {len(data)}; it takes {HEADER_BYTES}")
    (epoch, sequence, model_hash, pts, num, den, captured, decoded, inferred, published, anchor, wall, dropped, width,
     height, fx, fy, cx, cy, flags, face_count, _) = HEADER.unpack_from(data, _AT_HEADER)  # fmt: skip
    if not den or not width or not height:
        raise WireError(f"a frame of {width} x {height} px with time base {num}/{den}; none of these may be 0")
    faces, meshes, ahead_ns = [], [], 0
    for block, at, size in _blocks(data, _AT_PREAMBLE + header_bytes, len(data)):
        if block == FrameBlock.AHEAD:
            if size < AHEAD.size:
                raise WireError(f"the block of how far ahead values are has {size} bytes; it takes {AHEAD.size}")
            (ahead_ns,) = AHEAD.unpack_from(data, at)
        if block == FrameBlock.FACE:
            where = _face_blocks(data, at, at + size)
            faces.append(_read_face(data, where))
            meshes.append(_read_counted(data, where[FaceBlock.MESH], 3) if FaceBlock.MESH in where else None)
    if len(faces) != face_count:
        raise WireError(f"{len(faces)} faces where the header says {face_count}")
    return FrameMessage(
        topics.source_of(data), pts if flags & HAS_PTS else None, num, den, captured, decoded, inferred, width, height,
        fx, fy, cx, cy, dropped, bool(flags & MIRRORED), ahead_ns, epoch, sequence, model_hash, published, anchor,
        wall, major, minor, tuple(faces), all(face.landmarks_px is not _NO_LANDMARKS for face in faces),
        tuple(meshes) if any(mesh is not None for mesh in meshes) else (), received_ns,
    )  # fmt: skip


def check_preamble(data: bytes, kind: bytes) -> tuple[int, int, int]:
    """Major version, minor version and header bytes of a message of `kind` that is all there; else WireError."""
    if len(data) < _AT_HEADER:
        raise WireError(f"{len(data)} bytes are no Facewire message ({_AT_HEADER} at least); is it another publisher?")
    magic, major, minor, header_bytes, size = PREAMBLE.unpack_from(data, _AT_PREAMBLE)
    if magic != MAGIC:
        raise WireError(f"no Facewire message: {magic!r} stands where {MAGIC!r} must; is it another publisher?")
    if major > VERSION_MAJOR:
        raise WireError(f"schema {major}.{minor} is newer than this client's {VERSION_MAJOR}.x; {_UPGRADE}")
    if major < VERSION_MAJOR:
        raise WireError(f"schema {major}.{minor} is older than this client's {VERSION_MAJOR}.x; upgrade the publisher")
    if data[: topics.KIND_BYTES] != kind:
        raise WireError(f"topic {bytes(data[: topics.KIND_BYTES])!r} where {kind!r} is read; check the subscription")
    if size != len(data):
        raise WireError(f"a message of {size} bytes came as {len(data)}; it was cut or garbled on its way")
    return major, minor, header_bytes


def _blocks(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(id, begin of payload, its bytes) of the blocks that fill `data[at:end]` exactly."""
    while at < end:
        if at + BLOCK.size > end:
            raise WireError(f"{end - at} bytes are left at byte {at}, too few for a block")
        block, _, size = BLOCK.unpack_from(data, at)
        at += BLOCK.size
        if size % 4 or at + size > end:
            raise WireError(f"block {block} at byte {at} says {size} bytes; {end - at} are left")
        yield block, at, size
        at += size


def _face_blocks(data: bytes, at: int, end: int) -> dict[int, tuple[int, int]]:
    """{known block id: (begin of payload, its bytes)}: each once, long enough, none missing that must be there."""
    where: dict[int, tuple[int, int]] = {}
    for block, begin, size in _blocks(data, at, end):
        fewest = BLOCK_BYTES.get(block)
        if fewest is None:
            continue
        if size < fewest or block in where:
            raise WireError(f"face block {block} at byte {begin} is there twice or shorter than {fewest} bytes: {size}")
        where[block] = begin, size
    if not where.keys() >= REQUIRED:
        missing = ", ".join(block.name.lower() for block in sorted(REQUIRED - where.keys()))
        raise WireError(f"a face without {missing}")
    return where


def _read_face(data: bytes, where: Mapping[int, tuple[int, int]]) -> Face:
    track_id, state = _TRACK.unpack_from(data, where[FaceBlock.TRACK][0])
    if state > TrackState.LOST:
        raise WireError(f"track state {state}; valid: 0 to {TrackState.LOST:d}")
    pose_at = where[FaceBlock.POSE][0]
    pose = _POSE.unpack_from(data, pose_at)
    shapes = _floats(data, where[FaceBlock.EXPRESSION][0], 2 * EXPRESSIONS)
    sure = _floats(data, where[FaceBlock.CONFIDENCE][0], 6)
    landmarks, calibration = where.get(FaceBlock.LANDMARKS), where.get(FaceBlock.CALIBRATION)
    return Face(
        track_id=track_id,
        state=_STATES[state],
        landmarks_px=_NO_LANDMARKS if landmarks is None else _floats(data, landmarks[0], 3 * LANDMARKS).reshape(-1, 3),
        blendshapes=shapes[:EXPRESSIONS],
        blendshapes_raw=shapes[EXPRESSIONS:],
        rotation=_rotation(*pose[:4]),
        rotation_raw=_rotation(*pose[7:11]),
        translation_mm=_floats(data, pose_at + 16, 3),
        translation_raw_mm=_floats(data, pose_at + 44, 3),
        identity=_read_counted(data, where[FaceBlock.IDENTITY], 1).reshape(-1),
        gaze=_floats(data, where[FaceBlock.GAZE][0], 6).reshape(2, 3),
        lighting=_floats(data, where[FaceBlock.LIGHTING][0], 27).reshape(9, 3),
        confidence=float(sure[0]),
        region_confidence=sure[1:],
        deviation=_read_deviation(data, where[FaceBlock.DEVIATION][0]),
        profile_id=b"" if calibration is None else bytes(data[calibration[0] : calibration[0] + PROFILE_ID_BYTES]),
    )


_STATES = tuple(TrackState)


def _floats(data: bytes, at: int, count: int) -> np.ndarray:
    return np.frombuffer(data, "<f4", count, at)


def _read_counted(data: bytes, block: tuple[int, int], columns: int) -> np.ndarray:
    """Rows [count, columns] of a block that begins with their count."""
    at, size = block
    (count,) = _COUNT.unpack_from(data, at)
    if 4 + 4 * columns * count > size:
        raise WireError(f"{count} x {columns} numbers at byte {at} do not fit a block of {size} bytes")
    return _floats(data, at + 4, columns * count).reshape(-1, columns)


def _read_deviation(data: bytes, at: int) -> Deviation:
    after = at + 4 * EXPRESSIONS
    identity, rotation_rad, _, _, _, landmarks_px = _ERRORS.unpack_from(data, after)
    return Deviation(_floats(data, at, EXPRESSIONS), identity, rotation_rad, _floats(data, after + 8, 3), landmarks_px)


# Not those of tracker.face.pose: with the nine numbers of one matrix Python's floats beat numpy's arrays tenfold, and
# every message needs two per face.


def _quaternion(rotation: np.ndarray) -> tuple[float, float, float, float]:
    """Unit `xyzw`, w >= 0, of a rotation matrix [3, 3] (Shepperd 1978: the largest component first)."""
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    trace = a + e + i
    if trace >= a and trace >= e and trace >= i:
        x, y, z, w = h - f, c - g, d - b, 1 + trace
    elif a >= e and a >= i:
        x, y, z, w = 1 - trace + 2 * a, b + d, c + g, h - f
    elif e >= i:
        x, y, z, w = b + d, 1 - trace + 2 * e, f + h, c - g
    else:
        x, y, z, w = c + g, f + h, 1 - trace + 2 * i, d - b
    squares = a * a + b * b + c * c + d * d + e * e + f * f + g * g + h * h + i * i
    volume = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    if not (2.9 < squares < 3.1 and volume > 0.9):  # 3 and 1 for every rotation; NaN fails, too
        raise ValueError(f"{rotation.tolist()} is not a rotation")
    scale = math.copysign(1 / math.sqrt(x * x + y * y + z * z + w * w), w)
    return x * scale, y * scale, z * scale, w * scale


def _rotation(x: float, y: float, z: float, w: float) -> np.ndarray:
    """Rotation matrix float32 [3, 3] of `xyzw`; WireError where there is no direction in it."""
    squared = x * x + y * y + z * z + w * w
    if not 1e-6 < squared < 1e6:  # unit, give or take what another encoder did; NaN fails, too
        raise WireError(f"quaternion ({x}, {y}, {z}, {w}) is not a rotation; it must be of unit length")
    k = 2 / squared
    matrix = np.array(
        (
            1 - k * (y * y + z * z), k * (x * y - z * w), k * (x * z + y * w),
            k * (x * y + z * w), 1 - k * (x * x + z * z), k * (y * z - x * w),
            k * (x * z - y * w), k * (y * z + x * w), 1 - k * (x * x + y * y),
        ),
        np.float32,
    )  # fmt: skip
    return matrix.reshape(3, 3)
