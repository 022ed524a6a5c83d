"""The face model: 478 vertices in head space as mean + identity + expression, read from one `.npz`.

Given a file (the shipped one by default) it checks version and hash and hands out read-only float32 arrays in
millimetres. It evaluates nothing: the `morph` kernel does.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from tracker.errors import AssetError
from tracker.face.topology import LEFT_EYE_RING, RIGHT_EYE_RING, VERTICES

FORMAT = 2
"""Of the file; 1 is the same without `albedo_basis`."""
# Distance from the eyeball's centre of rotation to the plane of the iris, in an average adult eye.
IRIS_FROM_EYEBALL_MM = 10.5

_FIELDS = {
    "mean_mm": (VERTICES, 3), "identity_mm": (None, VERTICES, 3), "expression_mm": (52, VERTICES, 3),
    "triangles": (None, 3), "uv": (VERTICES, 2), "albedo": (VERTICES, 3), "mirror_index": (VERTICES,),
    "albedo_basis": (None, VERTICES, 3),
}  # fmt: skip
_SINCE_2 = ("albedo_basis",)


@dataclass(frozen=True, slots=True, eq=False)
class FaceModel:
    """V = 478 vertices in MediaPipe's numbering, I identity coefficients, 52 ARKit shapes."""

    version: str
    """Of the learned content, `major.minor`."""
    hash: bytes
    """First 8 bytes of the SHA-256 over the content; every published message carries it."""
    mean_mm: np.ndarray
    """float32 [V, 3] head space, neutral face."""
    identity_mm: np.ndarray
    """float32 [I, V, 3]: displacement for one standard deviation over people."""
    expression_mm: np.ndarray
    """float32 [52, V, 3]: displacement at coefficient 1, in the order of `ARKIT_NAMES`."""
    triangles: np.ndarray
    """int32 [T, 3], counter-clockwise seen from outside with y up; eye and mouth openings are not covered."""
    uv: np.ndarray
    """float32 [V, 2] in 0..1, v down, the mean unwrapped on a cylinder."""
    albedo: np.ndarray
    """float32 [V, 3]: mean RGB 0..255 of the vertex over people."""
    mirror_index: np.ndarray
    """int32 [V]: the vertex on the other side of the face."""
    albedo_basis: np.ndarray
    """float32 [A, V, 3]: change of `albedo` for one standard deviation over people; A is 0 in files of format 1."""

    @staticmethod
    def load(path: str | Path | None = None) -> FaceModel:
        """Read a model; the shipped one without `path`. Raises AssetError for a file that is not one."""
        shipped = path is None
        target = files("tracker.assets").joinpath("face_model.npz") if shipped else Path(str(path))
        if not target.is_file():
            raise AssetError(f"no face model at {target}; reinstall facewire, or give the path of a face_model.npz")
        try:
            with target.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                return _read(str(target), {name: archive[name] for name in archive})
        except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
            raise AssetError(f"{target} is not a face model ({error}); give a face_model.npz") from error

    @property
    def eyeballs_mm(self) -> np.ndarray:
        """float32 [2, 3]: centres of the eyeballs in head space, left first; by construction at +x and -x, z = 0."""
        rings = [self.mean_mm[list(ring)].mean(0) for ring in (LEFT_EYE_RING, RIGHT_EYE_RING)]
        return np.array([[(rings[0][0] - rings[1][0]) / 2 * side, 0.0, 0.0] for side in (1, -1)], np.float32)

    def __repr__(self) -> str:
        return (
            f"FaceModel(version={self.version}, hash={self.hash.hex()}, identity={len(self.identity_mm)}, "
            f"albedo={len(self.albedo_basis)}, triangles={len(self.triangles)})"
        )


def content_hash(arrays: dict[str, np.ndarray], version: str) -> bytes:
    """8 bytes over the version and every array's dtype, shape and bytes, in a fixed order; what a file of format 1
    has not got is left out."""
    digest = hashlib.sha256(version.encode())
    for name in _present(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.digest()[:8]


def save(path: Path, version: str, arrays: dict[str, np.ndarray]) -> bytes:
    """Write a model: floats as float16, indices as int16; returns its hash. Format 1 without an `albedo_basis`."""
    small: dict[str, Any] = {
        name: np.asarray(arrays[name], np.int16 if name in ("triangles", "mirror_index") else np.float16)
        for name in _present(arrays)
    }
    number = FORMAT if _SINCE_2[0] in small else 1
    digest = content_hash(small, version)
    with path.open("wb") as stream:
        np.savez_compressed(
            stream, format=np.array(number), version=np.array(version), hash=np.frombuffer(digest, np.uint8), **small
        )
    return digest


def _present(arrays: dict[str, np.ndarray]) -> list[str]:
    return [name for name in _FIELDS if name in arrays or name not in _SINCE_2]


def _read(name: str, archive: dict[str, np.ndarray]) -> FaceModel:
    number = int(archive.get("format", np.array(0)))
    if not 1 <= number <= FORMAT:
        raise AssetError(f"{name} has face-model format {archive.get('format')}; this facewire reads 1 to {FORMAT}")
    stored = [field for field in _FIELDS if number == FORMAT or field not in _SINCE_2]
    for field in stored:
        shape, found = _FIELDS[field], archive[field].shape
        if len(found) != len(shape) or any(want not in (None, got) for want, got in zip(shape, found, strict=True)):
            raise AssetError(f"{name}: {field} has shape {found}, not {shape}; the file is damaged or not ours")
    version = str(archive["version"])
    digest = content_hash({field: archive[field] for field in stored}, version)
    if digest != archive["hash"].tobytes():
        raise AssetError(f"{name}: content hash {digest.hex()} is not {archive['hash'].tobytes().hex()}; reinstall it")
    arrays = {"albedo_basis": np.zeros((0, VERTICES, 3), np.float32)}
    for field in stored:
        kind = np.int32 if archive[field].dtype.kind == "i" else np.float32
        arrays[field] = np.ascontiguousarray(archive[field], kind)
    for field in _FIELDS:
        arrays[field].setflags(write=False)
    return FaceModel(version=version, hash=digest, **arrays)
