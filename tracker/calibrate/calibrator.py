"""The stage: what a smoothed face reads, in terms of what that person's face can do.

Given an estimate it returns it with `blendshapes` mapped by the profile whose identity is nearest to the face's, near
enough, and that profile's id; without such a profile it returns what it was given. Landmarks, pose, gaze and
`blendshapes_raw` stay as they were seen. It does not know how profiles are learned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np

from tracker.calibrate.shelf import Held, Shelf
from tracker.errors import SettingsError
from tracker.face.model import FaceModel
from tracker.face.parameters import Face

MATCH_EVERY = 15
"""Frames of a track between two comparisons with the profiles: the identity is a running mean."""
STICK = 1.25
"""A track's profile counts as so many times nearer than it is: it stays with the track at the edge of the allowed
distance and beside another that is about as near, as a person's second one is."""


@dataclass(frozen=True, slots=True)
class CalibrateSettings:
    """Which profiles are applied, and to whom."""

    profile: Path | None = None
    """Calibration profile to apply, as `facewire calibrate` writes it, or a folder of them: each face gets the one
    that is nearest to its identity. An edit of a file is applied within half a second."""
    profile_distance_mm: float = 1.0
    """How far a face at rest may be from a profile's, root mean square over its vertices; beyond it a face is
    published uncalibrated. Ordinary takes of one person are within 1 mm, and 1 in 10 strangers; inf is anybody."""

    def __post_init__(self) -> None:
        if not self.profile_distance_mm > 0:
            raise SettingsError(
                f"profile_distance_mm {self.profile_distance_mm}; give more than 0, such as 1, or inf for anybody"
            )


@dataclass(slots=True)
class _Match:
    """What a track was found to be."""

    held: Held | None
    edition: int
    """Of the shelf, when it was compared."""
    frames: int
    """Until it is compared again."""


class Calibrator:
    """Profiles on a shelf, and one match per track."""

    def __init__(self, settings: CalibrateSettings, model: FaceModel) -> None:
        """Raises ProfileError for a profile that cannot be used with the face model."""
        self._shelf = None if settings.profile is None else Shelf(settings.profile, model)
        self._furthest_mm = settings.profile_distance_mm
        self._matches: dict[int, _Match] = {}

    def reset(self) -> None:
        """Forget every track."""
        self._matches.clear()

    def drop(self, track_id: int) -> None:
        """Forget a track that has ended; one that never was is fine."""
        self._matches.pop(track_id, None)

    def __call__(self, face: Face) -> Face:
        """The calibrated estimate; its `blendshapes` are a fresh copy."""
        if self._shelf is None:
            return face
        self._shelf.refresh()
        held = self._match(self._shelf, face)
        if held is None:
            return face
        return replace(
            face, blendshapes=held.curve(face.blendshapes, np.empty_like(face.blendshapes)), profile_id=held.id
        )

    def _match(self, shelf: Shelf, face: Face) -> Held | None:
        """The track's profile; looked for in each frame until one is found, then now and again."""
        match = self._matches.get(face.track_id)
        if match is not None and match.edition == shelf.edition and match.frames > 0:
            match.frames -= 1
            return match.held
        worn = match.held.file if match is not None and match.held is not None else None
        found = self._nearest(shelf, face.identity, worn)
        again = MATCH_EVERY if found is not None else 0
        self._matches[face.track_id] = _Match(found, shelf.edition, again)
        return found

    def _nearest(self, shelf: Shelf, identity: np.ndarray, worn: Path | None) -> Held | None:
        """The profile nearest to the identity, if it is near enough; `worn` is the file of the track's own so far."""
        near = [(mm / STICK if held.file == worn else mm, held) for mm, held in shelf.distances_mm(identity)]
        away_mm, held = min(near, key=lambda found: found[0], default=(inf, None))
        return held if away_mm <= self._furthest_mm else None
