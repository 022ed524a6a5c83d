"""Golden bytes: what a version once put on the wire must be read the same for ever.

`frame_vX_Y.json` is what somebody wrote down, `frame_vX_Y.bin` the bytes that say it. For a new version write a new
pair (`python tests/wire/test_golden.py X.Y` makes the bytes from the JSON); never touch an old one.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from tracker.face.expression import ARKIT_NAMES
from tracker.face.parameters import Deviation, Face, TrackState
from tracker.wire import FrameMessage, decode, decode_hello, encode, encode_hello
from tracker.wire.schema import VERSION_MAJOR, VERSION_MINOR

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
VERSIONS = sorted(path.stem.removeprefix("frame_v") for path in GOLDEN.glob("frame_v*.json"))
CURRENT = f"{VERSION_MAJOR}_{VERSION_MINOR}"


def message_of(version: str) -> FrameMessage:
    """The message that the JSON of this version describes."""
    known = json.loads((GOLDEN / f"frame_v{version}.json").read_text())
    known["model_hash"] = bytes.fromhex(known["model_hash"])
    known["faces"] = tuple(face_of(face) for face in known["faces"])
    known["meshes"] = tuple(None if mesh is None else np.array(mesh, np.float32) for mesh in known["meshes"])
    return FrameMessage(**known)


def face_of(known: dict) -> Face:
    arrays = {name: np.array(value, np.float32) for name, value in known.items() if isinstance(value, list)}
    spread = known["deviation"]
    deviation = {name: np.array(v, np.float32) if isinstance(v, list) else v for name, v in spread.items()}
    return Face(
        track_id=known["track_id"],
        state=TrackState[known["state"]],
        confidence=known["confidence"],
        deviation=Deviation(**deviation),
        profile_id=bytes.fromhex(known.get("profile_id", "")),
        **arrays,
    )


def assert_same(got: object, want: object, where: str) -> None:
    """Every field of two records, arrays exactly; only rotations pass through a quaternion on their way."""
    for field in fields(want):  # type: ignore[arg-type]
        a, b, name = getattr(got, field.name), getattr(want, field.name), f"{where}.{field.name}"
        if isinstance(b, Deviation):
            assert_same(a, b, name)
        elif isinstance(b, np.ndarray):
            assert a.dtype == np.float32, name
            np.testing.assert_allclose(a, b, rtol=0, atol=2e-7 if "rotation" in name else 0, err_msg=name)
        elif field.name not in ("faces", "meshes"):
            assert a == b, name


def test_this_version_has_its_golden_bytes() -> None:
    assert CURRENT in VERSIONS, "the schema changed: write its JSON and bytes to tests/golden"


@pytest.mark.parametrize("version", VERSIONS)
def test_golden_bytes_decode_to_what_was_written_down(version: str) -> None:
    got, want = decode((GOLDEN / f"frame_v{version}.bin").read_bytes()), message_of(version)
    assert_same(got, want, "message")
    assert len(got.faces) == len(want.faces) == 2
    for face, expected in zip(got.faces, want.faces, strict=True):
        assert_same(face, expected, f"face {expected.track_id}")
    assert got.meshes[0] is None
    np.testing.assert_array_equal(got.meshes[1], want.meshes[1])


def test_what_was_written_down_encodes_to_golden_bytes() -> None:
    assert encode(message_of(CURRENT)) == (GOLDEN / f"frame_v{CURRENT}.bin").read_bytes()


@pytest.mark.parametrize("version", VERSIONS)
def test_golden_hello(version: str) -> None:
    data = (GOLDEN / f"hello_v{version}.bin").read_bytes()
    hello = decode_hello(data)
    assert (hello.source_id, hello.epoch, hello.schema) == ("camera0", 1795229483185374251, version.replace("_", "."))
    assert (hello.model_version, hello.model_hash, hello.mirrored) == ("1.0", "8c42361e8b6db5df", False)
    assert hello.expression == ARKIT_NAMES and hello.block_ids["mesh"] == 10
    assert hello.control == ("" if version == "1_0" else "tcp://0.0.0.0:5571")
    if version == CURRENT:
        assert encode_hello(hello) == data


if __name__ == "__main__":
    asked = sys.argv[1].replace(".", "_")
    (GOLDEN / f"frame_v{asked}.bin").write_bytes(encode(message_of(asked)))
