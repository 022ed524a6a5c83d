"""Checkpoints of a training run: written whole, read back or refused in one line (torch).

Given a path and a dictionary of states it writes them; reading, it says what is wrong with a file that is no
checkpoint of this version, or of a network that was trained through another face model. It knows no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from tracker.distill.current import geometry_of
from tracker.distill.whole import whole
from tracker.errors import AssetError
from tracker.face.model import FaceModel


def save(path: Path, state: dict[str, Any]) -> None:
    """Whole or not at all. Raises OutputError where the disk refuses."""
    with whole(path) as part:
        torch.save(state, part)


@contextmanager
def opened(path: Path, device: str | torch.device = "cpu") -> Iterator[dict[str, Any]]:
    """The state in a checkpoint. Raises AssetError for a file that is none, and for one that the block cannot use."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        if not isinstance(state, dict):
            raise ValueError(f"holds a {type(state).__name__}")
        yield state
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError, UnpicklingError) as error:
        reason = " ".join(str(error).split())[:120]
        raise AssetError(
            f"{path} is no checkpoint of this version ({reason}); move it away to train anew, or give another"
        ) from error


def stamps(model: FaceModel) -> dict[str, str]:
    """What a checkpoint says of the face model its student is trained through."""
    return {"face_model": model.hash.hex(), "geometry": geometry_of(model)}


def check_model(path: Path, state: dict[str, Any], model: FaceModel) -> None:
    """Raises AssetError for a student trained through a face model of other shapes than `model`'s. The first
    checkpoints do not say through which, and are all of the shipped one."""
    through = {**stamps(FaceModel.load()), **{name: state[name] for name in stamps(model) if name in state}}
    if through["geometry"] != geometry_of(model):
        raise AssetError(
            f"{path} was trained through face model {through['face_model']}, whose shapes are not those of "
            f"{model.hash.hex()}, which is in use; move it away to train anew, or put that model back"
        )
