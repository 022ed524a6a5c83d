"""A batch of faces smoothed and put before the camera: `kernels.imm` and `kernels.portray` in torch.

Given looks and states it returns estimates, in the picture and in camera axes, what is uncertain about them, and the
states as they become. A step of zero holds the last estimate; a state that has not started takes the sample as it is;
one that was not seen is carried on.
Nothing branches on a value: what a state would become in each case is computed, and one is taken. On a CUDA device the
kernel `follow` does the same in one launch. It does not know who is seen, or when.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tracker.device.portray import before_camera, directions
from tracker.device.pose import Pose
from tracker.device.rotation import Rotations
from tracker.kernels.imm import (
    DENSITY,
    EASE,
    FAR,
    FOLLOW,
    LATE,
    LEARN_SECONDS,
    LEAST,
    LEAST_FACTOR,
    LEAST_SHARE,
    LONGEST_SECONDS,
    MEDIAN_OF_SQUARE,
    MEMORY,
    MODES,
    MOST,
    MOST_FACTOR,
    NOTES,
    PACE,
    PACE_SECONDS,
    QUATERNION,
    REST,
    SAMPLE,
    SLOWEST,
    SPEED,
    STARTED,
    TINY,
    TRUST,
    TURN,
    UNIT,
    USUAL_SECONDS,
    WALK,
)  # fmt: skip
from tracker.smooth.dynamics import INTER_OCULAR_MM, Dynamics

_AT_ONCE = 1e-300
"""The memory of the mode that is still: it forgets any speed."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a batch of faces, and when."""

    expression: Tensor
    """float32 [B, 52]."""
    pose: Pose
    """In the picture."""
    expression_std: Tensor
    """float32 [B, 52]: by the network, as the next two."""
    rotation_std: Tensor
    """float32 [B, 1]: in radians."""
    doubt: Tensor
    """float64 [B, 2]: standard deviations of the place in px, and of the log scale."""
    dt: Tensor
    """float64 [B, 1]: seconds since the last estimate."""
    ahead: Tensor
    """float64 [B, 1]: seconds after the look that the estimate is for."""
    camera: Tensor
    """float64 [B, 4]: fx, fy, cx, cy."""
    seen: Tensor
    """uint8 [B, 1]: 0 where there was nothing to see; then the pose and its doubt are those of the last look."""


@dataclass(frozen=True, slots=True)
class Smoothed:
    """A batch after smoothing."""

    expression: Tensor
    """float32 [B, 52] in 0..1."""
    pose: Pose
    """In the picture."""
    std: Tensor
    """float32 [B, 58]: of the estimates: coefficients, log scale, place in inter-ocular distances, turn in radians."""
    before: Tensor
    """[B, 33]: as `kernels.portray` lays it out behind a mesh: poses in camera axes, their doubt, where eyes look."""
    state: Tensor
    """float64 [B, ...]."""


@dataclass(frozen=True, slots=True)
class _State:
    """The flat state by names."""

    started: Tensor
    """[B, 1]."""
    quaternion: Tensor
    """[B, 4], as the next."""
    sampled: Tensor
    turn: Tensor
    """[B, 3]."""
    pace: Tensor
    """[B, 1]: the mean step in seconds."""
    shares: Tensor
    """[B, G, 3]."""
    recent: Tensor
    """[B, 4, C]: last sample, last difference, log of the noise factor, what is told less the estimate."""
    filters: Tensor
    """[B, 3, 5, C]: value, speed, and the variances of value, of both together and of speed."""

    def flat(self) -> Tensor:
        """As it is kept."""
        parts = (
            self.started, self.quaternion, self.sampled, self.turn, self.pace, self.shares, self.recent, self.filters
        )  # fmt: skip
        return torch.cat([part.flatten(1) for part in parts], 1)


class Smooth:
    """The filters' constants."""

    def __init__(self, of: Dynamics, rotations: Rotations, irises: Tensor) -> None:
        """`irises` float64 [52, 4]: see `Mesh`."""
        self._rotations, self._irises, device = rotations, irises, irises.device
        tables = (of.dynamics, of.groups, of.traits, of.rates, of.limits, of.noise_share)
        self.dynamics, self.groups, self.traits, self.rates, self.limits, self._noise_share = (
            torch.tensor(table, device=device) for table in tables
        )
        channels, self._number = len(of.groups), of.traits.shape[1]
        place = [channels - 6 < c <= channels - 4 for c in range(channels)]
        self._is_place = torch.tensor(place, device=device)
        self._is_turn = torch.tensor([c >= channels - 3 for c in range(channels)], device=device)
        self._same = torch.eye(MODES, dtype=torch.float64, device=device)
        self._rates = self.rates * (1 - self._same)
        one_hot = torch.eye(self._number, dtype=torch.float64, device=device)
        self._of_group = one_hot[self.groups]
        still = torch.full((1, channels), _AT_ONCE, dtype=torch.float64, device=device)
        self._memory = torch.cat([still, self.dynamics[MEMORY : MEMORY + 2]])
        follow = torch.ones((MODES, self._number), dtype=torch.float64, device=device)
        follow[MODES - 1] = self.traits[FOLLOW]
        self._follow = follow[:, self.groups]

    def __call__(self, look: Look, state: Tensor) -> Smoothed:
        """`state` float64 [B, ...] is what the last look left."""
        smoothed, filtered, std, state = self.filtered(look, state)
        count = smoothed.shape[1]
        rotation, translation = before_camera(filtered, look.camera)
        rotation_raw, translation_raw = before_camera(look.pose, look.camera)
        place_std = std[:, count + 1 : count + 3].double().amax(1, keepdim=True)
        across_mm = torch.hypot(look.doubt[:, :1] / look.pose.scale, INTER_OCULAR_MM * place_std)
        away_mm = translation[:, 2:] * torch.hypot(look.doubt[:, 1:], std[:, count : count + 1].double())
        parts = (rotation.flatten(1), rotation_raw.flatten(1), translation, translation_raw, across_mm, across_mm,
                 away_mm, directions(smoothed, self._irises))  # fmt: skip
        return Smoothed(smoothed, filtered, std, torch.cat(parts, 1), state)

    def variance(self, look: Look) -> Tensor:
        """float64 [B, 58]: the noise in a look, of the deviations that the network says; the place in inter-ocular
        distances."""
        scale = look.pose.scale
        place = torch.where((scale > 0) & scale.isfinite(), look.doubt[:, :1] / (INTER_OCULAR_MM * scale), 1.0)
        turn = look.rotation_std.double().expand(-1, 3)
        std = torch.cat([look.expression_std.double(), look.doubt[:, 1:], place, place, turn], 1)
        return (std * self._noise_share) ** 2

    def filtered(self, look: Look, state: Tensor) -> tuple[Tensor, Pose, Tensor, Tensor]:
        """Only the filters: expression, pose, deviations and state."""
        was = self._named(state)
        started = was.started > 0
        moving = started & (look.dt > 0)
        step = torch.where(moving, look.dt, 1.0)
        sample, noted = self._seen(look, was)
        log_size = torch.where(started, self._mean(was), sample)[:, -6]
        unit = self.limits[UNIT] * torch.where(log_size.isfinite(), log_size, 0.0).exp()[:, None]
        unit = torch.where(self._is_place, unit, 1.0)
        variance = self.variance(look) * unit**2
        moved = self._moved(noted, sample, variance, step, unit, look.seen > 0)
        carried = started | (look.seen == 0)
        held = torch.where(carried, noted.flat(), self._begun(noted, sample, variance, unit).flat())
        state = torch.where(moving, moved.flat(), held)
        now = self._named(state)
        value, std = self._told(now, look.ahead, unit)
        one = torch.ones_like(look.dt)
        rotation = self._rotations.matrix(self._rotations.moved(now.quaternion, value[:, -3:], one))
        expression = value[:, :-6].clamp(self.limits[LEAST], self.limits[MOST]).float()
        return expression, Pose(rotation, value[:, -5:-3], value[:, -6:-5].exp()), (std / unit).float(), state

    def _named(self, state: Tensor) -> _State:
        """The parts of a state; one of zeros is not turned."""
        batch, start, channels = len(state), REST + MODES * self._number, len(self.groups)
        rows = state[:, start:].view(batch, NOTES + 5 * MODES, channels)
        value, raw = state[:, QUATERNION:SAMPLE], state[:, SAMPLE:TURN]
        empty = (value == 0).all(1, keepdim=True)
        none = self._rotations.none_like(value)
        return _State(
            state[:, STARTED : STARTED + 1], torch.where(empty, none, value), torch.where(empty, none, raw),
            state[:, TURN:PACE], state[:, PACE:REST], state[:, REST:start].view(batch, self._number, MODES),
            rows[:, :NOTES], rows[:, NOTES:].view(batch, MODES, 5, channels),
        )  # fmt: skip

    def _seen(self, look: Look, was: _State) -> tuple[Tensor, _State]:
        """Float64 [B, C], the turn as seen from the estimate, NaN where the sample is not finite; and the state with
        the sample's quaternion and, in place of the turn's last sample, how far it turned since then. Where nothing was
        seen all is NaN, and the state as it was."""
        turns, pose, looked = self._rotations, look.pose, look.seen > 0
        numbers = look.expression.double()
        numbers = torch.where(numbers.isfinite(), numbers.clamp(self.limits[LEAST], self.limits[MOST]), torch.nan)
        four = turns.quaternion(pose.rotation)
        good = four.isfinite().all(1, keepdim=True)
        turn = torch.where(good, turns.between(was.quaternion, four), torch.nan)
        since = torch.where(good, turns.between(was.sampled, four), torch.nan)
        since = torch.where(looked, since, was.recent[:, 0, -3:])
        sample = torch.cat([numbers, pose.scale.log(), pose.center_px, turn], 1)
        sample = torch.where(looked & sample.isfinite(), sample, torch.nan)
        recent = torch.cat([torch.cat([was.recent[:, 0, :-3], since], 1)[:, None], was.recent[:, 1:]], 1)
        sampled = torch.where(good & looked, four, was.sampled)
        return sample, replace(was, sampled=sampled, recent=recent)

    def _begun(self, noted: _State, sample: Tensor, variance: Tensor, unit: Tensor) -> _State:
        """The first sample as it is, at rest; what is not finite begins at 0."""
        first = torch.where(sample.isfinite() & ~self._is_turn, sample, 0.0)
        none, speeds = torch.zeros_like(first), self._speeds(unit)
        filters = torch.stack([
            torch.stack([first, none, variance, none, none if not mode else speeds[:, mode]], 1)
            for mode in range(MODES)
        ], 1)  # fmt: skip
        return _State(
            torch.ones_like(noted.started), noted.sampled, noted.sampled, torch.zeros_like(noted.turn),
            torch.full_like(noted.pace, USUAL_SECONDS), torch.full_like(noted.shares, 1 / MODES),
            torch.stack([first, none, none, none], 1), filters,
        )  # fmt: skip

    def _moved(
        self, was: _State, sample: Tensor, variance: Tensor, dt: Tensor, unit: Tensor, looked: Tensor
    ) -> _State:  # fmt: skip
        """The state after a step, and where one `looked` a sample."""
        turn, recent = self._learned(was, sample, variance, dt, looked)
        stay = (-self._rates.sum(1) * dt)[..., None].exp()  # [B, 3, 1]
        change = self._same * stay + self._rates * ((1 - stay) / self._rates.sum(1, keepdim=True))
        after = was.shares @ change
        mixed = self._mixed(was, change, after, unit)
        filters = self._predicted(mixed, dt, unit)
        noise = (variance * recent[:, 2].exp())[:, None] * self._follow
        filters, shares = self._corrected(filters, sample, noise, after)
        moved = replace(was, shares=shares, filters=filters)
        estimate = self._mean(moved)
        pace, behind = self._eased(moved, was.recent[:, 3] + self._mean(was) - estimate, dt)
        recent = torch.cat([recent[:, :-1], behind[:, None]], 1)
        mean = torch.where(self._is_turn, estimate, 0.0)
        value = filters[:, :, :1] - mean[:, None, None]
        quaternion = self._rotations.moved(was.quaternion, mean[:, -3:], torch.ones_like(dt))
        filters = torch.cat([value, filters[:, :, 1:]], 2)
        started = torch.where(looked, 2.0, was.started)
        return _State(started, quaternion, was.sampled, turn, pace, shares, recent, filters)

    def _eased(self, of: _State, way: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """The mean step, and what is told less the estimate; `way` [B, C] is that before what is told comes nearer."""
        share = (dt / PACE_SECONDS).clamp(max=1.0)
        pace = of.pace + share * (dt.clamp(max=LONGEST_SECONDS) - of.pace)
        slower = (pace / USUAL_SECONDS).clamp(max=SLOWEST)
        ease = (self.traits[EASE] * of.shares[:, :, 0] ** 4)[:, self.groups] * slower**3
        _, variance = self._mixture(of, of.filters[:, :, 0], of.filters[:, :, 2])
        ease = ease / (1 + way**2 / (FAR**2 * variance + TINY))
        return pace, (1 - 1 / (1 + self.dynamics[LATE] / dt + ease)) * way

    def _learned(
        self, was: _State, sample: Tensor, variance: Tensor, dt: Tensor, looked: Tensor
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """The last turn and the recent rows, with the logarithm of the noise factor a step further."""
        last, difference, factor, behind = was.recent.unbind(1)
        moved = torch.where(self._is_turn, last, sample - last)
        good = looked & moved.isfinite()
        second = moved - torch.cat([difference[:, :-3], was.turn], 1)
        up = second**2 / 6 > MEDIAN_OF_SQUARE * variance * factor.exp()
        step = torch.where(up, dt, -dt) / self.limits[LEARN_SECONDS]
        stepped = (factor + step).clamp(self.limits[LEAST_FACTOR].log(), self.limits[MOST_FACTOR].log())
        factor = torch.where(good & (was.started > 1), stepped, factor)
        difference = torch.where(good, moved, difference)
        last = torch.where(good & ~self._is_turn, sample, last)
        return difference[:, -3:], torch.stack([last, difference, factor, behind], 1)

    def _mixed(self, was: _State, change: Tensor, after: Tensor, unit: Tensor) -> Tensor:
        """Each mode begins the step with what the modes it may come from say, in proportion."""
        weight = was.shares[..., None] * change[:, None] / after[:, :, None]  # [B, G, from, to]
        weight = weight[:, self.groups].permute(0, 2, 3, 1)  # [B, from, to, C]
        value, speed, a, b, d = was.filters[:, :, None].unbind(3)  # [B, from, 1, C]
        mixed, faster = ((weight * one).sum(1) for one in (value, speed))
        off, away = value - mixed[:, None], speed - faster[:, None]
        speeds = torch.cat([self._speeds(unit)[:, None], d[:, 1:].expand(-1, -1, MODES, -1)], 1)
        a, b = ((weight * one).sum(1) for one in (a + off * off, b + off * away))
        return torch.stack([mixed, faster, a, b, (weight * (speeds + away * away)).sum(1)], 2)

    def _speeds(self, unit: Tensor) -> Tensor:
        """[B, 3, C]: the variance of the speed in a mode that is entered; 0 for the one that is still."""
        start = torch.nn.functional.pad(self.dynamics[SPEED : SPEED + 2], (0, 0, 1, 0))
        return (start * unit[:, None]) ** 2

    def _growths(self, seconds: Tensor, unit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, 3, C] each: what uncertainty of value, of both together and of speed gains in the time [B, 1]."""
        walk, density = self.dynamics[WALK : WALK + 1], self.dynamics[DENSITY : DENSITY + 2]
        none, t = torch.zeros_like(walk), seconds[..., None]
        square = unit[:, None] ** 2
        value = torch.cat([walk * t, density * (t**3 / 3)], 1)
        rates = torch.cat([none, density])
        return value * square, rates * (t**2 / 2) * square, rates * t * square

    def _predicted(self, filters: Tensor, dt: Tensor, unit: Tensor) -> Tensor:
        value, speed, a, b, d = filters.unbind(2)
        keep = (-dt[..., None] / self._memory).exp()
        reach = self._memory * (1 - keep)
        first, second, third = self._growths(dt, unit)
        return torch.stack([
            value + reach * speed, keep * speed, a + 2 * reach * b + reach**2 * d + first,
            keep * (b + reach * d) + second, keep**2 * d + third,
        ], 2)  # fmt: skip

    def _corrected(self, filters: Tensor, sample: Tensor, noise: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Every mode with what is finite of the sample, and each group's shares by how well they had foreseen it."""
        value, speed, a, b, d = filters.unbind(2)
        known = sample.isfinite()[:, None]
        total = a + noise
        surprise = torch.where(known, sample[:, None] - value, 0.0)
        likelihood = torch.where(known, -0.5 * (surprise**2 / total + total.log()), 0.0)
        gain, push = torch.where(known, a / total, 0.0), torch.where(known, b / total, 0.0)
        weight = self.traits[TRUST][:, None] * (likelihood @ self._of_group).transpose(1, 2) + after.log()
        weight = (weight - weight.amax(2, keepdim=True)).exp() + LEAST_SHARE
        stepped = (value + gain * surprise, speed + push * surprise, (1 - gain) * a, (1 - gain) * b, d - push * b)
        return torch.stack(stepped, 2), weight / weight.sum(2, keepdim=True)

    def _mean(self, of: _State) -> Tensor:
        """[B, C]: the value that all modes say."""
        return (of.shares[:, self.groups].transpose(1, 2) * of.filters[:, :, 0]).sum(1)

    def _told(self, of: _State, ahead: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
        """What is told and the mixture's deviation, [B, C] both, carried on by `ahead` [B, 1] seconds."""
        value, _, a, *_ = self._predicted(of.filters, ahead, unit).unbind(2)
        mean, variance = self._mixture(of, value, a)
        return mean + of.recent[:, 3], variance.sqrt()

    def _mixture(self, of: _State, value: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance [B, C] of modes with these [B, 3, C]."""
        share = of.shares[:, self.groups].transpose(1, 2)
        mean = (share * value).sum(1)
        return mean, (share * (variance + (value - mean[:, None]) ** 2)).sum(1)
