"""Bodies that move, smoothed and put before the camera: `tracker.kernels.imm`, and what `tracker.kernels.portray` says
of a pose, for many bodies at once, in one launch.

Given each body's sample, the time since its last one, its camera and the state of its filters it evaluates, per body:

- the filtered numbers and pose, what is uncertain about them, and the state as it becomes, by interacting multiple
  models; a step of 0 holds the last estimate, a state that has not started takes the sample, and where there is no
  sample everything is carried on;
- `before`: cam_from_body and translation of the filtered pose and of the sample's, the translation's standard
  deviation, and two unit vectors along -z that the filtered numbers tilt, laid out as `portray` lays them out behind
  its mesh.

What it joins says why. It does not know what moves or what the clock says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.errors import SettingsError
from tracker.kernels.cuda import on_device, require
from tracker.kernels.imm import DYNAMICS, LIMITS, MODES, TRAITS, state_size
from tracker.kernels.interop import rank, require_kind
from tracker.kernels.portray import AFTER_MESH

MOST_CHANNELS, MOST_GROUPS = 64, 16
_FLOAT32, _FLOAT64, _INT64, _UINT8 = (np.dtype(one) for one in (np.float32, np.float64, np.int64, np.uint8))


@dataclass(frozen=True, slots=True)
class Filter:
    """What is the same for every body, checked once."""

    dynamics: Any
    """float64 [8, C], C = N + 6 channels: see `imm`, as for the next four."""
    groups: Any
    """int64 [C]: each below G."""
    traits: Any
    """float64 [3, G]."""
    rates: Any
    """float64 [3, 3]."""
    limits: Any
    """float64 [6]."""
    tilts: Any
    """float32 [N, 4]: x, y of the first direction, then of the second, per unit of each number."""

    def __post_init__(self) -> None:
        device = on_device(self.tilts)
        (count, _), (_, number) = rank("tilts", self.tilts, 2), rank("traits", self.traits, 2)
        channels = count + 6
        if channels > MOST_CHANNELS or not 1 <= number <= MOST_GROUPS:
            raise SettingsError(
                f"{count} numbers in {number} groups; give at most {MOST_CHANNELS - 6} in 1 to {MOST_GROUPS}"
            )
        for name, dtype, shape in (
            ("dynamics", _FLOAT64, (DYNAMICS, channels)), ("groups", _INT64, (channels,)),
            ("traits", _FLOAT64, (TRAITS, number)), ("rates", _FLOAT64, (MODES, MODES)),
            ("limits", _FLOAT64, (LIMITS,)), ("tilts", _FLOAT32, (count, 4)),
        ):  # fmt: skip
            require(name, getattr(self, name), dtype, shape, device)
        # A device's numbers are not looked at, since looking would wait for the device.
        if not device and not 0 <= self.groups.min() <= self.groups.max() < number:
            raise SettingsError(f"groups of {self.groups.min()} to {self.groups.max()}; there are 0 to {number - 1}")


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen, checked once."""

    numbers: Any
    """float32 [B, N]."""
    pose: Any
    """float64 [B, 12]: rotation to the picture by rows, the origin's place in px, px per mm."""
    variance: Any
    """float64 [B, C]: of the sample's noise; see `imm`."""
    dt_seconds: Any
    """float64 [B]."""
    ahead_seconds: Any
    """float64 [B]: how long after the sample the estimates are for."""
    camera: Any
    """float64 [B, 4]: fx, fy, cx, cy."""
    doubt: Any
    """float64 [B, 2]: standard deviations of the place in px, and of the log size, whether they are noise or not."""
    state: Any
    """float64 [B, ...] of `imm`: as the last sample left it."""
    seen: Any
    """uint8 [B]: 0 where there is no sample. Numbers and variance are not read then; the pose only for what `before`
    says of the sample, so it may be the last one's."""

    def __post_init__(self) -> None:
        device, (batch, count) = on_device(self.pose), rank("numbers", self.numbers, 2)
        for name, dtype, shape in (
            ("numbers", _FLOAT32, (batch, count)), ("pose", _FLOAT64, (batch, 12)),
            ("variance", _FLOAT64, (batch, count + 6)), ("dt_seconds", _FLOAT64, (batch,)),
            ("ahead_seconds", _FLOAT64, (batch,)), ("camera", _FLOAT64, (batch, 4)), ("doubt", _FLOAT64, (batch, 2)),
            ("state", _FLOAT64, (batch, rank("state", self.state, 2)[1])), ("seen", _UINT8, (batch,)),
        ):  # fmt: skip
            require(name, getattr(self, name), dtype, shape, device)


@dataclass(frozen=True, slots=True)
class Followed:
    """What is filled in, checked once."""

    numbers: Any
    """float32 [B, N]."""
    pose: Any
    """float64 [B, 12]: filtered."""
    std: Any
    """float32 [B, C]: of the estimates; see `imm`."""
    before: Any
    """float32 [B, 33]."""
    state: Any
    """float64 [B, ...] of `imm`: brought up to the sample; may be the sample's own."""

    def __post_init__(self) -> None:
        device, (batch, count) = on_device(self.pose), rank("numbers", self.numbers, 2)
        for name, dtype, shape in (
            ("numbers", _FLOAT32, (batch, count)), ("pose", _FLOAT64, (batch, 12)),
            ("std", _FLOAT32, (batch, count + 6)), ("before", _FLOAT32, (batch, AFTER_MESH)),
            ("state", _FLOAT64, (batch, rank("state", self.state, 2)[1])),
        ):  # fmt: skip
            require(name, getattr(self, name), dtype, shape, device, filled=True)


Implementation = Callable[[Filter, Sample, Followed], None]
"""Takes what the operator takes, checked. One that takes a device's arrays has `on_device`."""


@dataclass(frozen=True, slots=True)
class Follow:
    """`follow` on one implementation."""

    implementation: Implementation

    def __call__(self, filter: Filter, sample: Sample, followed: Followed) -> None:
        """Fill `followed`. Raises SettingsError for arrays of other sizes, or elsewhere than the backend works."""
        require_kind("filter", filter, Filter)
        require_kind("sample", sample, Sample)
        require_kind("followed", followed, Followed)
        device = getattr(self.implementation, "on_device", False)
        places = {on_device(one) for one in (filter.tilts, sample.pose, followed.pose)}
        counts = {filter.tilts.shape[0], sample.numbers.shape[1], followed.numbers.shape[1]}
        if places != {device} or len(counts) > 1 or sample.pose.shape != followed.pose.shape:
            raise SettingsError(
                f"{sorted(counts)} numbers of {sample.pose.shape[0]} and {followed.pose.shape[0]} bodies; they must be "
                f"as many, in {'CUDA' if device else 'numpy'} arrays all of them"
            )
        size = state_size(filter.tilts.shape[0], filter.traits.shape[1])
        if {sample.state.shape[1], followed.state.shape[1]} != {size}:
            raise SettingsError(
                f"states {list(sample.state.shape)} and {list(followed.state.shape)}; they must be [B, {size}] both"
            )
        self.implementation(filter, sample, followed)
