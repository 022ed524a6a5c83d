"""The filters that are compared: ours and what others use, over the same raw fits, each swept from quick to calm.

Given a trace of raw fits each returns the filtered one. What others use is written down here from its published
formula; MediaPipe's own filter cannot be run over our fits and is measured as a whole elsewhere. Nothing here knows
what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from tracker.bench.trace import Sample, Trace, filtered
from tracker.face.pose import exp_so3, log_so3
from tracker.smooth import SmoothSettings, TrackFilter
from tracker.smooth.dynamics import INTER_OCULAR_MM

Value = tuple[np.ndarray, np.ndarray, np.ndarray, float]
"""Expression [52], rotation [3, 3], centre [2], scale."""


@dataclass(frozen=True, slots=True)
class Method:
    """One filter with one knob."""

    name: str
    settings: tuple[float, ...]
    """From quick to calm."""
    default: float
    run: Callable[[Trace, float], Trace]


def ours(trace: Trace, calm: float) -> Trace:
    """The tracker's own, with its one knob."""
    track = TrackFilter(SmoothSettings(calm=calm))

    def values() -> Iterator[Value]:
        for sample, seconds in zip(trace.samples, trace.seconds, strict=True):
            of = track(sample, float(seconds))
            yield of.expression, of.rotation, of.center_px, of.scale_px_per_mm

    return filtered(trace, values())


def _channels(sample: Sample, first: Sample) -> np.ndarray:
    """float64 [58]: coefficients, log scale, place and turn from those of the `first`, by its inter-ocular distance."""
    place = (sample.center_px - first.center_px) / (INTER_OCULAR_MM * first.scale_px_per_mm)
    turn = log_so3(first.rotation.T @ sample.rotation)
    return np.concatenate([sample.expression, [np.log(sample.scale_px_per_mm)], place, turn])


def _value(channels: np.ndarray, first: Sample) -> Value:
    expression = np.clip(channels[:52], 0, 1).astype(np.float32)
    center_px = first.center_px + channels[53:55] * INTER_OCULAR_MM * first.scale_px_per_mm
    return expression, first.rotation @ exp_so3(channels[55:]), center_px, float(np.exp(channels[52]))


def _by_channel(trace: Trace, step: Callable[[np.ndarray, float], np.ndarray]) -> Trace:
    """Run a filter of 58 plain numbers; heads turn by well below half a turn from where they begin."""
    first = trace.samples[0]

    def values() -> Iterator[Value]:
        before = float(trace.seconds[0])
        for sample, seconds in zip(trace.samples, trace.seconds, strict=True):
            yield _value(step(_channels(sample, first), float(seconds) - before), first)
            before = float(seconds)

    return filtered(trace, values())


ONE_EURO_CUTOFF_HZ = np.concatenate([np.full(52, 1.1), np.full(6, 0.8)])
ONE_EURO_BETA = np.concatenate([np.full(52, 7.0), np.full(6, 30.0)])
"""Hz, and Hz per coefficient, inter-ocular distance or radian a second: the settings that this tracker once shipped."""


def one_euro(trace: Trace, calm: float, eager: float = 1.0) -> Trace:
    """Casiez, Roussel, Vogel: "1 Euro Filter" (CHI 2012), per channel, with the true time step.

    Both numbers are divided by `calm`, slower at rest and slower to wake; the second is multiplied by `eager`.
    """
    last, speed, estimate = (np.zeros(58) for _ in range(3))

    def step(sample: np.ndarray, dt: float) -> np.ndarray:
        if dt <= 0:
            last[:], estimate[:] = sample, sample
            return estimate.copy()
        speed[:] += (1 - np.exp(-2 * np.pi * 1.5 * dt)) * ((sample - last) / dt - speed)
        last[:] = sample
        cutoff = (ONE_EURO_CUTOFF_HZ + eager * ONE_EURO_BETA * np.abs(speed)) / calm
        estimate[:] += (1 - np.exp(-2 * np.pi * cutoff * dt)) * (sample - estimate)
        return estimate.copy()

    return _by_channel(trace, step)


def constant_velocity(trace: Trace, calm: float) -> Trace:
    """A plain Kalman filter per channel: constant velocity pushed by white noise, the network's deviations as noise.

    Bar-Shalom, Li, Kirubarajan: "Estimation with Applications to Tracking and Navigation" (2001), section 6.2.
    """
    share = np.concatenate([np.full(52, 0.03), np.full(3, 0.1), np.full(3, 0.05)])
    density = np.concatenate([np.full(52, 30.0), np.full(3, 1.0), np.full(3, 5.0)]) / calm**2
    state, speed, p, b, d = np.zeros(58), np.zeros(58), np.zeros(58), np.zeros(58), np.full(58, 1.0)
    std = iter(trace.samples)

    def step(sample: np.ndarray, dt: float) -> np.ndarray:
        of = next(std)
        unit = INTER_OCULAR_MM * of.scale_px_per_mm
        noise = (share * np.concatenate([
            of.expression_std, [of.log_scale_std], np.full(2, of.centre_std_px / unit), np.full(3, of.rotation_std_rad)
        ])) ** 2  # fmt: skip
        if dt <= 0:
            state[:], p[:] = sample, noise
            return state.copy()
        state[:] += dt * speed
        p[:] += 2 * dt * b + dt * dt * d + density * dt**3 / 3
        b[:] += dt * d + density * dt**2 / 2
        d[:] += density * dt
        gain, push = p / (p + noise), b / (p + noise)
        surprise = sample - state
        state[:] += gain * surprise
        speed[:] += push * surprise
        d[:] -= push * b
        b[:] *= 1 - gain
        p[:] *= 1 - gain
        return state.copy()

    return _by_channel(trace, step)


def running_average(trace: Trace, keep: float) -> Trace:
    """OpenSeeFace's smoothing of its features: last * keep + sample * (1 - keep), whatever the time step."""
    state = np.full(58, np.nan)

    def step(sample: np.ndarray, dt: float) -> np.ndarray:
        state[:] = np.where(np.isnan(state), sample, keep * state + (1 - keep) * sample)
        return state.copy()

    return _by_channel(trace, step)


_CALM = tuple(2.0 ** (step / 2) for step in range(-6, 11))
METHODS = (
    Method("Facewire", (0.25, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0, 6.0, 10.0, 12.0, 18.0), 1.0, ours),
    Method("One-Euro", _CALM, 1.0, one_euro),
    *(
        Method(f"One-Euro, {how}", _CALM, 1.0, partial(one_euro, eager=eager))
        for how, eager in (("sluggish", 0.2), ("slower", 0.5), ("quicker", 2.0), ("eager", 5.0))
    ),
    Method("constant velocity", (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0), 1.0, constant_velocity),
    Method("running average", (0.05, 0.2, 0.4, 0.6, 0.75, 0.85, 0.9), 0.2, running_average),
)
"""Each over its knob; One-Euro has two, so there are five of it. OpenSeeFace keeps a fifth."""
