"""Encode and decode: where every number stands, what survives, and what is refused."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tracker.errors import WireError
from tracker.face.pose import exp_so3, geodesic_rad, quaternion_from_matrix
from tracker.wire import FrameMessage, decode, encode
from tracker.wire.schema import BLOCK, FaceBlock, FrameBlock

GOLDEN = (Path(__file__).resolve().parents[1] / "golden" / "frame_v1_1.bin").read_bytes()
BLOCKS_AT = 232


@pytest.fixture
def message() -> FrameMessage:
    return decode(GOLDEN)


def blocks(data: bytes, at: int, end: int) -> list[tuple[int, bytes]]:
    """An independent reading of docs/wire.md: [(id, payload)]."""
    found = []
    while at < end:
        block, reserved, size = struct.unpack_from("<HHI", data, at)
        assert reserved == 0
        found.append((block, data[at + 8 : at + 8 + size]))
        at += 8 + size
    assert at == end
    return found


def rebuilt(
    header_tail: bytes = b"", frame_blocks: list[tuple[int, bytes]] | None = None, minor: int = 1, major: int = 1
) -> bytes:
    """The golden message taken apart and put together again, with what a later version may add."""
    listed = blocks(GOLDEN, BLOCKS_AT, len(GOLDEN)) if frame_blocks is None else frame_blocks
    body = b"".join(BLOCK.pack(block, 0, len(payload)) + payload for block, payload in listed)
    head = bytearray(GOLDEN[:BLOCKS_AT] + header_tail)
    struct.pack_into("<HHII", head, 76, major, minor, 160 + len(header_tail), len(head) + len(body))
    return bytes(head) + body


def with_face(face_blocks: list[tuple[int, bytes]]) -> bytes:
    """The golden message with its first face made of other blocks."""
    listed = blocks(GOLDEN, BLOCKS_AT, len(GOLDEN))
    payload = b"".join(BLOCK.pack(block, 0, len(inside)) + inside for block, inside in face_blocks)
    return rebuilt(frame_blocks=[(FrameBlock.FACE, payload), *listed[1:]])


def golden_face_blocks() -> list[tuple[int, bytes]]:
    payload = blocks(GOLDEN, BLOCKS_AT, len(GOLDEN))[0][1]
    return blocks(payload, 0, len(payload))


def test_header_stands_where_the_document_says(message: FrameMessage) -> None:
    assert GOLDEN[:72] == b"FWframe:" + b"camera0".ljust(64, b"\0")
    assert GOLDEN[72:76] == b"FWIR"
    assert struct.unpack_from("<HHII", GOLDEN, 76) == (1, 1, 160, len(GOLDEN))
    assert struct.unpack_from("<QQ", GOLDEN, 88) == (message.epoch, message.sequence)
    assert GOLDEN[104:112] == message.model_hash
    assert struct.unpack_from("<qII", GOLDEN, 112) == (123456, 1, 15360)
    stamps = (message.captured_ns, message.decoded_ns, message.inferred_ns, message.published_ns)
    assert struct.unpack_from("<4q", GOLDEN, 128) == stamps
    assert struct.unpack_from("<2q", GOLDEN, 160) == (message.anchor_monotonic_ns, message.anchor_wall_ns)
    assert struct.unpack_from("<QII", GOLDEN, 176) == (3, 1280, 720)
    assert struct.unpack_from("<4d", GOLDEN, 192) == (587.5, 587.5, 640.0, 360.0)
    assert struct.unpack_from("<IHH", GOLDEN, 224) == (0b11, 2, 0)


def test_face_stands_where_the_document_says(message: FrameMessage) -> None:
    face, found = message.faces[0], dict(golden_face_blocks())
    assert [block for block, _ in golden_face_blocks()] == [*range(1, 10), 11]
    assert struct.unpack("<IB3x", found[1]) == (face.track_id, face.state)
    pose = np.frombuffer(found[2], "<f4")
    np.testing.assert_allclose(pose[:4], quaternion_from_matrix(face.rotation), atol=1e-7)
    np.testing.assert_allclose(pose[7:11], quaternion_from_matrix(face.rotation_raw), atol=1e-7)
    assert (pose[4:7] == face.translation_mm).all() and (pose[11:] == face.translation_raw_mm).all()
    for block, parts in {
        3: (face.blendshapes, face.blendshapes_raw),
        5: (face.gaze,),
        6: (face.lighting,),
        7: (np.float32([face.confidence]), face.region_confidence),
        9: (face.landmarks_px,),
    }.items():
        assert found[block] == b"".join(part.astype("<f4").tobytes() for part in parts), block
    assert found[4] == struct.pack("<I", 64) + face.identity.astype("<f4").tobytes()
    spread = face.deviation
    assert found[11] == face.profile_id == bytes.fromhex("59159bdb3cd3d948")
    assert message.faces[1].profile_id == b""
    assert found[8][:208] == spread.expression.astype("<f4").tobytes()
    assert struct.unpack("<6f", found[8][208:]) == (
        spread.identity, spread.rotation_rad, *spread.translation_mm, spread.landmarks_px,
    )  # fmt: skip


def test_mesh_stands_where_the_document_says(message: FrameMessage) -> None:
    payload = blocks(GOLDEN, BLOCKS_AT, len(GOLDEN))[1][1]
    mesh = dict(blocks(payload, 0, len(payload)))[10]
    assert mesh == struct.pack("<I", 4) + message.meshes[1].astype("<f4").tobytes()


def test_what_is_decoded_encodes_to_the_same_bytes(message: FrameMessage) -> None:
    assert encode(message) == GOLDEN


@pytest.mark.parametrize("faces", [0, 1, 7])
def test_any_number_of_faces(message: FrameMessage, faces: int) -> None:
    many = replace(message, faces=tuple(replace(message.faces[0], track_id=k) for k in range(faces)), meshes=())
    got = decode(bytes(encode(many)))
    assert [face.track_id for face in got.faces] == list(range(faces))
    assert got.meshes == ()


def test_without_landmarks(message: FrameMessage) -> None:
    got = decode(bytes(encode(replace(message, has_landmarks=False))))
    assert not got.has_landmarks and message.has_landmarks
    assert np.isnan(got.faces[0].landmarks_px).all()
    assert encode(got) == encode(replace(message, has_landmarks=False))


def test_without_time(message: FrameMessage) -> None:
    got = decode(bytes(encode(replace(message, pts=None))))
    assert got.pts is None and got.pts_seconds is None
    assert message.pts_seconds == 123456 / 15360
    assert decode(bytes(encode(replace(message, pts=-5)))).pts == -5


def test_wall_clock_of_a_stamp(message: FrameMessage) -> None:
    assert message.wall_ns(message.anchor_monotonic_ns + 7) == message.anchor_wall_ns + 7


def test_every_rotation_survives(message: FrameMessage) -> None:
    rng = np.random.default_rng(0)
    vectors = [*rng.normal(size=(40, 3)) * 2, *np.pi * np.eye(3), *-np.pi * np.eye(3), np.zeros(3)]
    for vector in vectors:
        turned = replace(message.faces[0], rotation=exp_so3(vector).astype(np.float32))
        got = decode(bytes(encode(replace(message, faces=(turned,), meshes=()))))
        assert geodesic_rad(got.faces[0].rotation, turned.rotation) < 2e-6


def test_decoded_arrays_are_read_only_and_need_no_copy(message: FrameMessage) -> None:
    face = message.faces[0]
    for array in (face.blendshapes, face.landmarks_px, face.identity, face.lighting):
        assert not array.flags.writeable and not array.flags.owndata


@pytest.mark.parametrize(
    "change",
    [
        {"source_id": ""}, {"source_id": "x" * 64}, {"source_id": "a\0b"}, {"source_id": "a\x1bb"},
        {"model_hash": b"short"}, {"time_base_den": 0}, {"width_px": -1}, {"width_px": 0},
        {"height_px": 0}, {"sequence": -1}, {"epoch": 2**64},
        {"pts": 2**63}, {"captured_ns": 1.5}, {"meshes": (None,)}, {"fx": "wide"},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_not_encoded(message: FrameMessage, change: dict) -> None:
    with pytest.raises(WireError):
        encode(replace(message, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"rotation": np.full((3, 3), np.nan, np.float32)}, {"rotation_raw": np.zeros((3, 3), np.float32)},
        {"rotation": -np.eye(3, dtype=np.float32)},
        {"rotation": np.full((3, 3), 1e30, np.float32)}, {"track_id": -1}, {"confidence": None},
        {"profile_id": b"short"},
    ],
)  # fmt: skip
def test_a_face_that_is_none_is_not_encoded(message: FrameMessage, change: dict) -> None:
    with pytest.raises(WireError):
        encode(replace(message, faces=(replace(message.faces[0], **change),), meshes=()))


def test_a_newer_minor_version_is_read() -> None:
    """A longer header, unknown blocks beside and inside the faces, and known blocks with something appended."""
    faces = []
    for _, payload in blocks(GOLDEN, BLOCKS_AT, len(GOLDEN))[:2]:
        inside = [(block, part + b"more") for block, part in blocks(payload, 0, len(payload))]
        inside.insert(3, (4711, b"calibration."))
        faces.append((1, b"".join(BLOCK.pack(b, 0, len(p)) + p for b, p in [*inside, (999, b"")])))
    data = rebuilt(b"new!" * 6, [(77, b"hop stamps.."), *faces, (2, bytes(12)), (78, b"")], minor=9)
    got, want = decode(data), decode(GOLDEN)
    assert (got.version_major, got.version_minor) == (1, 9)
    assert (got.sequence, got.width_px, got.mirrored) == (want.sequence, want.width_px, want.mirrored)
    assert len(got.faces) == 2
    for a, b in zip(got.faces, want.faces, strict=True):
        assert repr(a) == repr(b)
        np.testing.assert_array_equal(a.landmarks_px, b.landmarks_px)
        np.testing.assert_array_equal(a.identity, b.identity)
        np.testing.assert_array_equal(a.region_confidence, b.region_confidence)
    np.testing.assert_array_equal(got.meshes[1], want.meshes[1])


def test_a_newer_major_version_says_what_to_upgrade() -> None:
    with pytest.raises(WireError, match=r"schema 2\.3 is newer than this client's 1\.x; upgrade facewire"):
        decode(rebuilt(major=2, minor=3))
    # Whatever else it changed, that is what has to be said.
    with pytest.raises(WireError, match="newer"):
        decode(b"?" * 72 + b"FWIR" + struct.pack("<HHII", 2, 0, 5, 5))


def test_an_older_major_version_says_what_to_upgrade() -> None:
    with pytest.raises(WireError, match="upgrade the publisher"):
        decode(rebuilt(major=0))


def test_cut_at_any_byte() -> None:
    for length in [*range(400), *range(400, len(GOLDEN), 37), len(GOLDEN) - 1]:
        with pytest.raises(WireError):
            decode(GOLDEN[:length])
    with pytest.raises(WireError):
        decode(GOLDEN + b"\0")


def test_cut_at_any_byte_with_a_length_that_agrees() -> None:
    """Whoever cuts may also put the length right: blocks and counts must tell."""
    for length in [*range(88, 500), *range(500, len(GOLDEN), 41)]:
        cut = bytearray(GOLDEN[:length])
        struct.pack_into("<I", cut, 84, length)
        with pytest.raises(WireError):
            decode(bytes(cut))


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(500):
        noise = rng.bytes(int(rng.integers(0, 2000)))
        with pytest.raises(WireError):
            decode(noise)
        with pytest.raises(WireError):  # from the version on, so that more of it is looked at
            decode(GOLDEN[:76] + noise)


@pytest.mark.parametrize("seed", range(4))
def test_garbled_bytes_never_do_worse_than_wire_error(seed: int) -> None:
    """Half of the changes go where the structure is: the header, and the head and begin of the first blocks."""
    rng = np.random.default_rng(seed)
    refused = 0
    for _ in range(1500):
        data = bytearray(GOLDEN)
        for _ in range(rng.integers(1, 6)):
            reach = 1200 if rng.random() < 0.5 else len(data)
            data[rng.integers(0, reach)] = rng.integers(0, 256)
        try:
            decode(bytes(data))
        except WireError:
            refused += 1
    assert 100 < refused < 1500


@pytest.mark.parametrize("value", [0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFF, 3, 1, 0])
def test_absurd_lengths_and_counts(value: int) -> None:
    """Each 32-bit length or count of the message in turn says something absurd; nothing is allocated for it."""
    face_at = BLOCKS_AT
    track_at = face_at + 8
    identity_count_at = track_at + 8 + 8 + 8 + 56 + 8 + 416 + 8
    assert struct.unpack_from("<I", GOLDEN, identity_count_at) == (64,)
    for at in (80, 84, face_at + 4, track_at + 4, identity_count_at - 4, identity_count_at):
        data = bytearray(GOLDEN)
        struct.pack_into("<I", data, at, value)
        if at == identity_count_at and value < 64:
            assert len(decode(bytes(data)).faces[0].identity) == value
            continue
        with pytest.raises(WireError):
            decode(bytes(data))


@pytest.mark.parametrize("faces", [0, 1, 3, 65535])
def test_face_count_must_agree(faces: int) -> None:
    data = bytearray(GOLDEN)
    struct.pack_into("<H", data, 228, faces)
    with pytest.raises(WireError, match=f"2 faces where the header says {faces}"):
        decode(bytes(data))


@pytest.mark.parametrize("at", [124, 184, 188])
def test_a_frame_without_size_or_time_base(at: int) -> None:
    data = bytearray(GOLDEN)
    struct.pack_into("<I", data, at, 0)
    with pytest.raises(WireError):
        decode(bytes(data))


@pytest.mark.parametrize("block", sorted(FaceBlock))
def test_a_face_block_missing_short_or_twice(block: FaceBlock) -> None:
    whole = golden_face_blocks()
    left = [(b, payload) for b, payload in whole if b != block]
    if block in (FaceBlock.LANDMARKS, FaceBlock.MESH, FaceBlock.CALIBRATION):
        assert len(decode(with_face(left)).faces) == 2
    else:
        with pytest.raises(WireError, match=f"without {block.name.lower()}"):
            decode(with_face(left))
    if block == FaceBlock.MESH:
        return
    with pytest.raises(WireError, match="twice or shorter|do not fit"):
        decode(with_face([(b, payload[:-4] if b == block else payload) for b, payload in whole]))
    with pytest.raises(WireError, match="twice"):
        decode(with_face([*whole, (block, dict(whole)[block])]))


@pytest.mark.parametrize("quaternion", [(0, 0, 0, 0), (np.nan, 0, 0, 1), (np.inf, 0, 0, 1), (1e30, 0, 0, 0)])
def test_a_quaternion_without_direction(quaternion: tuple[float, ...]) -> None:
    turned = [
        (b, struct.pack("<4f", *quaternion) + p[16:] if b == FaceBlock.POSE else p) for b, p in golden_face_blocks()
    ]
    with pytest.raises(WireError, match="not a rotation"):
        decode(with_face(turned))


def test_an_unknown_state() -> None:
    changed = [(b, p[:4] + b"\x09" + p[5:] if b == FaceBlock.TRACK else p) for b, p in golden_face_blocks()]
    with pytest.raises(WireError, match="track state 9"):
        decode(with_face(changed))


def test_how_far_ahead_travels_only_where_it_is(message: FrameMessage) -> None:
    now, ahead = replace(message, ahead_ns=0), replace(message, ahead_ns=33_000_000)
    assert decode(bytes(encode(now))).ahead_ns == 0
    assert decode(bytes(encode(ahead))).ahead_ns == 33_000_000
    assert len(encode(ahead)) == len(encode(now)) + 16


def test_a_short_block_of_how_far_ahead_is_refused() -> None:
    listed = blocks(GOLDEN, BLOCKS_AT, len(GOLDEN))
    assert listed[-1] == (FrameBlock.AHEAD, (50_000_000).to_bytes(8, "little"))
    with pytest.raises(WireError, match="ahead"):
        decode(rebuilt(frame_blocks=[*listed[:-1], (FrameBlock.AHEAD, bytes(4))]))
