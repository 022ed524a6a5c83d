"""What is learned from a take: the neutral from its calm, not from what is held, and each range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tracker.calibrate.take import Take, calm, learn, resting
from tracker.errors import SettingsError
from tracker.face.expression import ARKIT_INDEX

HZ = 30
BIAS = {"browDownLeft": 0.3, "eyeBlinkRight": 0.15, "mouthFrownLeft": 0.1, "eyeLookDownLeft": 0.25}
BLINK, SMILE, JAW, LOOK = (ARKIT_INDEX[n] for n in ("eyeBlinkRight", "mouthSmileLeft", "jawOpen", "eyeLookDownLeft"))


def take(seconds: float = 12.0, seed: int = 0) -> Take:
    """Talks for the first half and rests in the second, with a blink every two seconds and noise throughout."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * HZ)) / HZ
    shapes = rng.normal(0, 0.006, (len(times), 52))
    for name, value in BIAS.items():
        shapes[:, ARKIT_INDEX[name]] += value
    talking = times < seconds / 2
    shapes[talking, JAW] += 0.35 * (1 - np.cos(2 * np.pi * 2 * times[talking]))
    shapes[talking, SMILE] += 0.3 * (1 + np.sin(2 * np.pi * 0.7 * times[talking]))
    shapes[times % 2 < 0.15, BLINK] += 0.7
    identity = rng.normal(0, 0.01, (len(times), 64)) + 0.5
    return Take(times, shapes.clip(0, 1).astype(np.float32), identity.astype(np.float32))


def test_the_neutral_is_what_rests() -> None:
    profile = learn(take(), bytes(8), "x")
    rest = np.zeros(52)
    rest[[ARKIT_INDEX[name] for name in BIAS]] = list(BIAS.values())
    assert np.abs([shape.neutral for shape in profile.shapes] - rest).max() < 0.02
    assert max(shape.noise for shape in profile.shapes) < 0.02
    assert profile.seconds == pytest.approx(12, abs=0.1) and np.allclose(profile.identity, 0.5, atol=0.01)


def test_the_range_is_what_was_shown() -> None:
    shapes = learn(take(), bytes(8), "x").shapes
    assert shapes[JAW].range == pytest.approx(0.7, abs=0.03) and shapes[SMILE].range == pytest.approx(0.6, abs=0.03)
    assert shapes[BLINK].range == pytest.approx(0.85, abs=0.04), "a blink every two seconds is no outlier"
    assert all(shape.range is None for k, shape in enumerate(shapes) if k not in (JAW, SMILE, BLINK))


def test_gaze_is_an_angle_and_has_no_range() -> None:
    looked = take()
    looked.expression[:150, LOOK] = 0.9
    found = learn(looked, bytes(8), "x").shapes[LOOK]
    assert found.range is None and found.neutral == pytest.approx(0.25, abs=0.02)


def test_a_smile_that_is_held_longer_than_the_face_rests_is_no_neutral() -> None:
    held = take(20)
    held.expression[held.seconds < 8] = held.expression[held.seconds > 15][0]
    held.expression[held.seconds < 8, SMILE] = 0.8
    held.expression[held.seconds < 8] += np.random.default_rng(1).normal(0, 0.004, (240, 52)).astype(np.float32)
    assert learn(held, bytes(8), "x").shapes[SMILE].neutral < 0.02


def test_motion_is_not_calm_whatever_the_rate_of_frames() -> None:
    for every in (1, 2):
        one = take()
        one = replace(
            one, seconds=one.seconds[::every], expression=one.expression[::every], identity=one.identity[::every]
        )
        assert calm(one)[one.seconds > 6.2].mean() > 0.6 and calm(one)[one.seconds < 5.8].mean() < 0.2
        assert (one.seconds[resting(one)] > 5.8).all()


def test_prompts_say_when_the_face_rests() -> None:
    asked = take()
    prompts = np.where(asked.seconds < 6, 1, 0)
    prompts[:5] = -1
    asked = replace(asked, prompts=prompts)
    assert (resting(asked) == (prompts == 0)).all()
    profile = learn(asked, bytes(8), "x")
    assert profile.guided and profile.shapes[JAW].neutral < 0.02
    assert 0.55 < (profile.shapes[JAW].range or 0) < 0.72
    with pytest.raises(SettingsError, match="while it was to rest"):
        learn(replace(asked, prompts=np.ones(len(prompts), int)), bytes(8), "x")


def test_halves_share_nothing() -> None:
    whole = take()
    even, odd = whole.half(0), whole.half(1)
    assert len(even.seconds) + len(odd.seconds) == len(whole.seconds)
    assert not set(even.seconds) & set(odd.seconds)
    assert even.shown_seconds == pytest.approx(whole.shown_seconds / 2, abs=0.5)


@pytest.mark.parametrize("kept", [0, 1, 20, 60])
def test_too_little_is_refused(kept: int) -> None:
    whole = take()
    some = Take(whole.seconds[:kept], whole.expression[:kept], whole.identity[:kept])
    with pytest.raises(SettingsError, match="3 s or more"):
        learn(some, bytes(8), "x")
