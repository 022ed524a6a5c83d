"""Calibration on encoded video: a take of the bundled face, learned from, applied, and what a subscriber then gets."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tracker import Tracker, calibrating
from tracker.calibrate import CalibrateSettings, Profile, Take, learn, write_profile
from tracker.calibrate.guide import GUIDED_SECONDS, PROMPT_SECONDS, PROMPTS, REST, moment
from tracker.calibrate.take import resting
from tracker.cli import cli
from tracker.errors import SettingsError, SourceError
from tracker.face.expression import ARKIT_INDEX
from tracker.pipeline import Pipeline, build_pipeline, run
from tracker.publish import Publisher
from tracker.source import frame_from_image, open_source

DEMO = str(files("tracker.assets").joinpath("demo.mp4"))
# Frames of the bundled clip: where its face rests, and where each thing is done.
AT_REST, SMILE, JAW_OPEN, BROWS_UP = 8, 36, 56, 72
FPS, GUIDED_FPS = 15, 5
PERFORMED = range(0, 160, 2)


def encode(path: Path, pictures: list[np.ndarray], fps: int) -> Path:
    """H.264 of the pictures at half size, each with a camera's noise of its own."""
    import av

    noises = np.random.default_rng(0).normal(0, 2, (16, 240, 320, 3)).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for index, picture in enumerate(pictures):
            noisy = (picture[::2, ::2] + noises[index % len(noises)]).clip(0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noisy, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def demo() -> list[np.ndarray]:
    import av

    with av.open(DEMO) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def take_path(demo: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rests for 3 s, performs for 5, rests for 3."""
    rest = [demo[AT_REST]] * (3 * FPS)
    return encode(tmp_path_factory.mktemp("take") / "take.mp4", [*rest, *(demo[k] for k in PERFORMED), *rest], FPS)


@pytest.fixture(scope="module")
def take(take_path: Path) -> Take:
    with open_source(str(take_path)) as video:
        return calibrating.record(video, build_pipeline(), float("inf"), False, print)


@pytest.fixture(scope="module")
def profile(take: Take) -> Profile:
    return learn(take, build_pipeline().model.hash, "demo")


def calibrated(profile: Profile, folder: Path) -> Pipeline:
    write_profile(profile, folder / "demo.json")
    return build_pipeline(calibrate=CalibrateSettings(folder / "demo.json"))


def test_the_neutral_is_found_where_the_face_rests(take: Take) -> None:
    at = take.seconds[resting(take)]
    assert ((at < 3.3) | (at > 8.0)).mean() > 0.9 and len(at) >= 15


def test_a_resting_face_reads_zero_and_a_smile_one(take_path: Path, profile: Profile, tmp_path: Path) -> None:
    plain, built = build_pipeline(), calibrated(profile, tmp_path)
    before, after = [], []
    with open_source(str(take_path)) as video:
        for frame in video:
            (was,), (now,) = plain.track(frame), built.track(frame)
            assert np.array_equal(was.blendshapes_raw, now.blendshapes_raw), "raw is as it was seen"
            assert np.array_equal(was.landmarks_px, now.landmarks_px) and np.array_equal(was.gaze, now.gaze)
            before.append(was.blendshapes)
            after.append(now.blendshapes)
            assert now.profile_id in (b"", profile.id)
    rest, smile = slice(15, 40), ARKIT_INDEX["mouthSmileLeft"]
    assert np.max(before[rest]) > 0.15, "uncalibrated it reads something at rest"
    assert np.mean(after[rest], axis=0).max() < 0.02 and np.max(after[rest]) < 0.04
    assert np.std(after[rest], axis=0).sum() < np.std(before[rest], axis=0).sum(), "no noise is enlarged"
    assert max(row[smile] for row in after) > 0.95 > max(row[smile] for row in before)
    assert np.min(after) == 0 and np.max(after) <= 1


def test_the_check_is_on_frames_that_were_not_learned_from(take: Take, profile: Profile) -> None:
    checked = calibrating.check(take, profile.model_hash)
    assert checked is not None
    assert checked.before.max() > 0.15 and checked.after.max() < 0.02
    text = calibrating.as_text(profile, checked)
    assert "largest of all" in text and "not shown" in text and len(text.splitlines()) == 3 + calibrating.SHOWN + 2
    assert "too short" in calibrating.as_text(profile, None)


def test_every_message_says_which_profile_was_applied(take_path: Path, profile: Profile, tmp_path: Path) -> None:
    from tracker.clients import subscribe

    built = calibrated(profile, tmp_path)
    sender = Publisher("tcp://127.0.0.1:*", "cam", built.model.hash, built.model.version)
    with sender, subscribe(sender.endpoint, timeout_seconds=5) as subscription:
        got: list[bytes] = []

        def look(*_: object) -> None:
            while (message := subscription.receive(0)) is not None:
                got.extend(face.profile_id for face in message.faces)

        with open_source(str(take_path)) as video:
            run(video, built, sender, look)
    assert len(got) > 50 and set(got[20:]) == {profile.id}


def test_after_warm_up_calibrating_allocates_no_arrays(demo, profile: Profile, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import tracemalloc

    built = calibrated(profile, tmp_path)
    for k in range(10):
        built.track(frame_from_image(demo[k], k / 30))
    tracemalloc.start()
    try:
        built.track(frame_from_image(demo[10], 10 / 30))
        kept, _ = tracemalloc.get_traced_memory()
        for k in range(11, 41):
            built.track(frame_from_image(demo[k], k / 30))
        stayed = tracemalloc.get_traced_memory()[0] - kept
    finally:
        tracemalloc.stop()
    assert stayed < 20_000


def test_the_api_takes_a_profile(demo, profile: Profile, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write_profile(profile, tmp_path / "demo.json")
    made = Tracker(profile=tmp_path)
    faces = [made.track(demo[k], k / 30)[0] for k in range(12)]
    assert faces[-1].profile_id == profile.id and faces[-1].blendshapes.max() < 0.1


def test_prompts_come_in_time_and_begin_and_end_at_rest() -> None:
    first, last = moment(0.0), moment(GUIDED_SECONDS - 0.1)
    assert first is not None and last is not None and first.text == last.text == REST
    assert first.prompt == -1 and last.prompt == 0, "until somebody has read it, nothing counts"
    assert [moment(k * PROMPT_SECONDS + 2).text for k in range(len(PROMPTS))] == list(PROMPTS)  # type: ignore[union-attr]
    assert moment(GUIDED_SECONDS) is None and moment(-1.0) is None


def test_a_guided_take(demo: list[np.ndarray], tmp_path: Path) -> None:
    shown, each = {1: SMILE, 2: BROWS_UP, 4: JAW_OPEN}, round(PROMPT_SECONDS * GUIDED_FPS)
    pictures = [demo[shown.get(k // each, AT_REST)] for k in range(each * len(PROMPTS))]
    path, said = encode(tmp_path / "guided.mp4", pictures, GUIDED_FPS), []
    with open_source(str(path)) as video:
        taken = calibrating.record(video, build_pipeline(), float("inf"), True, said.append)
    asked = [line for line in said if line.startswith("now ")]
    assert [line.removeprefix("now ").removesuffix(" ...") for line in asked] == list(PROMPTS)
    assert [line.strip() for line in said[1:4]] == ["3", "2", "1"], "a countdown stands between two prompts"
    profile = learn(taken, bytes(8), "x")
    assert profile.guided and profile.shapes[ARKIT_INDEX["mouthSmileLeft"]].range
    assert profile.shapes[ARKIT_INDEX["jawOpen"]].range and profile.shapes[ARKIT_INDEX["jawOpen"]].neutral < 0.1


def test_a_take_without_a_face_or_without_time(faceless_clip: Path, demo: list[np.ndarray]) -> None:
    with open_source(str(faceless_clip)) as video, pytest.raises(SettingsError, match="no face"):
        calibrating.record(video, build_pipeline(), float("inf"), False, print)
    with pytest.raises(SettingsError, match="without time"):
        calibrating.record([frame_from_image(demo[0], None)], build_pipeline(), 1.0, False, print)


def test_without_a_camera_it_says_what_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrating, "list_devices", list)
    with pytest.raises(SourceError, match=r"facewire calibrate talk\.mp4"):
        calibrating.first_camera()


def test_the_command(take_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "people" / "demo.json"
    done = CliRunner().invoke(cli, ["calibrate", str(take_path), "--out", str(out), "--name", "Somebody"])
    assert done.exit_code == 0, done.output
    assert "largest of all" in done.output and f"--profile {out}" in done.output
    written = json.loads(out.read_text())
    assert written["name"] == "Somebody" and not written["guided"]
    shutil.copy(out, tmp_path / "people" / "copy.json")
    done = CliRunner().invoke(cli, ["run", str(take_path), "--bind", "tcp://127.0.0.1:*", "--profile", str(out.parent)])
    assert done.exit_code == 0, done.output
