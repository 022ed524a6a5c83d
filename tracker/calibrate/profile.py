"""A calibration profile: one person's neutral face and range of motion, as a JSON file that people can read and edit.

Given a file and the face model in use it returns a `Profile`, or says in one line what is wrong with the file; given
a `Profile` it writes the file whole or not at all. It does not know how a profile is learned or applied.
"""

from __future__ import annotations

import hashlib
import json
import os
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import msgspec
import numpy as np

from tracker.errors import OutputError, ProfileError
from tracker.face.expression import ARKIT_NAMES

FORMAT = 1
"""Of the file: its key `facewire_profile`."""
ID_BYTES = 8
LARGEST_BYTES = 1_000_000
"""A profile takes about 6 kB; what is larger by far is something else."""


@dataclass(frozen=True, slots=True)
class ShapeRange:
    """One shape of one person, in coefficients 0..1 as they come out of smoothing."""

    neutral: float
    """What the face at rest reads: the median."""
    noise: float
    """By how much it reads more than that, one time in six: a standard deviation, on the upper side."""
    range: float | None
    """What the person's strongest use of it reads; None where the take did not show it."""


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What is known of one person."""

    name: str
    """For people; matching goes by `identity`."""
    model_hash: bytes
    """Of the face model that `identity` and the shapes belong to."""
    identity: np.ndarray
    """float32 [I]: mean identity coefficients over the take."""
    shapes: tuple[ShapeRange, ...]
    """One per shape, in the order of `ARKIT_NAMES`."""
    seconds: float
    """How much of the take showed the face."""
    guided: bool
    """Whether the person was told what to do."""

    @property
    def id(self) -> bytes:
        """First 8 bytes of the SHA-256 over what matters: model, identity and shapes. An edit makes another id."""
        shapes = [[shape.neutral, shape.noise, shape.range] for shape in self.shapes]
        digest = hashlib.sha256(self.model_hash + self.identity.astype("<f4").tobytes())
        digest.update(json.dumps(shapes).encode())
        return digest.digest()[:ID_BYTES]

    def __repr__(self) -> str:
        return f"Profile({self.name!r}, id={self.id.hex()}, model={self.model_hash.hex()}, {self.seconds:.1f} s)"


@dataclass(frozen=True, slots=True)
class _File:
    """The file as it stands."""

    facewire_profile: int
    name: str
    face_model: str
    seconds: float
    guided: bool
    identity: list[float]
    shapes: dict[str, ShapeRange]


def read_profile(path: Path, model_hash: bytes | None = None, identities: int | None = None) -> Profile:
    """The profile in the file `path`, made with the face model of `model_hash` and so many `identities` where given.

    Raises ProfileError naming the file and what is wrong with it.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ProfileError(f"{path} is too large for a profile; give a file that facewire calibrate wrote")
        data = path.read_bytes().removeprefix(BOM_UTF8)  # which editors on Windows put there
    except OSError as error:
        raise ProfileError(f"no profile at {path} ({error.strerror}); make one: facewire calibrate") from error
    found = _decoded(path, data)
    if model_hash is not None and found.face_model != model_hash.hex():
        raise ProfileError(
            f"{path} was made with face model {found.face_model[:16]}, this is {model_hash.hex()}; calibrate again"
        )
    for name in found.shapes.keys() ^ set(ARKIT_NAMES):
        what = "no shape" if name in ARKIT_NAMES else "the unknown shape"
        raise ProfileError(f"{path} has {what} {name[:40]!r}; it needs the 52 names of ARKit, each once")
    for name, shape in found.shapes.items():
        _check(path, name, shape)
    if not found.identity or len(found.identity) != (identities or len(found.identity)):
        raise ProfileError(f"{path} has {len(found.identity)} identity coefficients, not {identities}; calibrate again")
    if not all(isfinite(value) and abs(value) < 100 for value in found.identity):
        raise ProfileError(f"{path} has an identity coefficient beyond 100; calibrate again")
    return Profile(
        found.name, bytes.fromhex(found.face_model), np.array(found.identity, np.float32),
        tuple(found.shapes[name] for name in ARKIT_NAMES), found.seconds, found.guided,
    )  # fmt: skip


def _decoded(path: Path, data: bytes) -> _File:
    """The file's JSON; its version is looked at first, since another one may hold other things."""
    try:
        version = msgspec.json.decode(data, type=dict[str, object]).get("facewire_profile")
        if version is None:
            raise ProfileError(f"{path} has no facewire_profile and is none; make one: facewire calibrate")
        if version != FORMAT:
            raise ProfileError(f"{path} is a profile of format {version!r}; this facewire reads {FORMAT}; upgrade it")
        found = msgspec.json.decode(data, type=_File)
        bytes.fromhex(found.face_model)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, ProfileError):
            raise
        raise ProfileError(f"{path} is damaged: {error}; undo the last edit, or calibrate again") from error
    return found


def _check(path: Path, name: str, shape: ShapeRange) -> None:
    high = shape.range if shape.range is not None else 1.0
    for what, value in (("neutral", shape.neutral), ("noise", shape.noise), ("range", high)):
        if not 0 <= value <= 1:
            raise ProfileError(f"{path}: {what} of {name} is {value}; give 0 to 1")
    if not shape.neutral <= high:
        raise ProfileError(f"{path}: range of {name} is {high}, below its neutral {shape.neutral}; give more, or null")


def require_place(path: Path) -> None:
    """Make the folder for a profile at `path` and try whether it can be written, leaving what stands there as it is.

    Raises OutputError for a folder, a name that does not end in .json, by which a folder's profiles are known, a file
    that is no profile, and a place where nothing can be written.
    """
    if os.path.isdir(path):  # never raises, whatever the name
        raise OutputError(f"{path} is a folder; give a file in it: --out {path / 'NAME.json'}")
    if path.suffix != ".json":
        raise OutputError(f"{path} does not end in .json; give --out {path}.json, or in a folder {path / 'NAME.json'}")
    with _part(path):
        if path.exists() and not _is_profile(path):
            raise OutputError(f"{path} is there and is no profile; give another with --out")


def write_profile(profile: Profile, path: Path) -> None:
    """Write `profile` as JSON, a shape a line. What stood there is replaced at once, and only if it was a profile.

    Raises OutputError where that is not possible, see `require_place`.
    """
    require_place(path)
    name = profile.name.encode(errors="replace").decode()  # a file's may be no text, which JSON could not give back
    head = {
        "facewire_profile": FORMAT, "name": name, "face_model": profile.model_hash.hex(),
        "seconds": profile.seconds, "guided": profile.guided,
    }  # fmt: skip
    shapes = [
        f"    {json.dumps(name)}: " + json.dumps({"neutral": s.neutral, "noise": s.noise, "range": s.range})
        for name, s in zip(ARKIT_NAMES, profile.shapes, strict=True)
    ]
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    lines.append(f'  "identity": {json.dumps([round(value, 4) for value in profile.identity.tolist()])},')
    text = "\n".join(["{", *lines, '  "shapes": {', ",\n".join(shapes), "  }", "}", ""])
    with _part(path) as part:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)


@contextmanager
def _part(path: Path) -> Iterator[Path]:
    """An empty file beside `path`, in a folder made for it, that is gone afterwards. Raises OutputError."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"")
        yield part
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; give another with --out") from error
    finally:
        with suppress(OSError):
            part.unlink()


def _is_profile(path: Path) -> bool:
    """Whether the file says that it is one; a damaged one counts."""
    try:
        with path.open("rb") as stream:
            return b'"facewire_profile"' in stream.read(1000)
    except OSError:
        return False
