"""Calibration on encoded video: a take of the bundled face, learned from, applied, and what a subscriber then gets."""

from __future__ import annotations

import gc
import json
import re
import shlex
import shutil
import signal
from collections.abc import Iterable, Iterator
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
from tracker.errors import OutputError, SettingsError, SourceError
from tracker.face.expression import ARKIT_INDEX
from tracker.face.parameters import Face
from tracker.pipeline import Pipeline, build_pipeline, run
from tracker.publish import Publisher
from tracker.source import frame_from_image, open_source
from tracker.source.frame import Frame

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


def test_a_long_take_does_not_keep_whole_faces(take_path: Path) -> None:
    def faces() -> int:
        gc.collect()
        return sum(isinstance(found, Face) for found in gc.get_objects())

    kept = []

    def watched() -> Iterator[Frame]:
        with open_source(str(take_path)) as video:
            yield from video
        kept.append(faces())

    before = faces()  # other tests' own
    taken = calibrating.record(watched(), build_pipeline(), float("inf"), False, print)
    assert kept[0] - before < 20 < len(taken.seconds)


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
    assert "warning" not in text


def test_what_calibrating_made_worse_is_warned_of(profile: Profile) -> None:
    before, after = np.full(len(ARKIT_INDEX), 0.1), np.full(len(ARKIT_INDEX), 0.102)
    assert "warning" not in calibrating.as_text(profile, calibrating.Check(before, after))
    after[[ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthPucker"]]] = 0.2, 0.3
    warning = calibrating.as_text(profile, calibrating.Check(before, after)).splitlines()[-1]
    assert warning.startswith("warning: 2 shapes") and "mouthPucker 0.100 -> 0.300, jawOpen 0.100 -> 0.200" in warning


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


@pytest.mark.parametrize("leaves", [True, False])
def test_a_guided_take_that_is_cut_short_is_refused(demo: list[np.ndarray], leaves: bool) -> None:
    seconds = PROMPT_SECONDS * 3.5
    frames = [frame_from_image(demo[AT_REST], k / GUIDED_FPS) for k in range(round(seconds * GUIDED_FPS))]
    if leaves:  # the take goes on without the face
        nobody = np.zeros_like(demo[0])
        frames += [frame_from_image(nobody, at) for at in np.arange(seconds, GUIDED_SECONDS, 1.0)]
    with pytest.raises(SettingsError, match=f"10 of 42 s, up to prompt 4 of {len(PROMPTS)}.*frown") as caught:
        calibrating.record(frames, build_pipeline(), float("inf"), True, lambda text: None)
    assert "\n" not in str(caught.value)


def interrupted(frames: Iterable[Frame], after_seconds: float) -> Iterator[Frame]:
    """The frames until somebody presses Ctrl-C."""
    for frame in frames:
        if (frame.pts_seconds or 0.0) > after_seconds:
            signal.raise_signal(signal.SIGINT)
        yield frame


def test_an_interrupt_ends_a_take_and_what_was_seen_is_learned_from(take_path: Path) -> None:
    def cut(seconds: float, guided: bool = False) -> Take | str:
        try:
            with open_source(str(take_path)) as video:
                frames = interrupted(video, seconds)
                return calibrating.record(frames, build_pipeline(), float("inf"), guided, lambda _: None)
        except KeyboardInterrupt:  # of which pytest itself would end
            return "thrown away"

    model_hash, long, short = build_pipeline().model.hash, cut(6.0), cut(2.0)
    assert isinstance(long, Take) and isinstance(short, Take)
    assert 5.5 < learn(long, model_hash, "x").seconds <= 6.0
    with pytest.raises(SettingsError, match="shows a face for 1"):
        learn(short, model_hash, "x")
    with pytest.raises(SettingsError, match="no face was seen"):
        cut(0.0)
    assert cut(2.0, guided=True) == "thrown away"


@pytest.mark.parametrize("jump_seconds", [-3.0, -100.0, 1e6])
def test_a_cut_in_a_take_is_no_time(demo: list[np.ndarray], jump_seconds: float) -> None:
    """Two takes one after another in one file, each with its own stamps: both count."""
    stamps = [k / 10 + (jump_seconds if k >= 20 else 0.0) for k in range(40)]
    frames = [frame_from_image(demo[AT_REST], stamp) for stamp in stamps]
    taken = calibrating.record(frames, build_pipeline(), 3.45, False, print)
    assert (np.diff(taken.seconds) >= 0).all() and taken.seconds[-1] == pytest.approx(3.4)
    assert taken.shown_seconds == pytest.approx(3.4, abs=0.4)


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
    out = tmp_path / "people" / "de mo.json"
    done = CliRunner().invoke(cli, ["calibrate", str(take_path), "--out", str(out), "--name", "Somebody"])
    assert done.exit_code == 0, done.output
    assert "largest of all" in done.output and "warning" not in done.output
    said = shlex.split(done.output.split("apply it: ")[1])
    assert said == ["facewire", "run", str(take_path), "--profile", str(out)]
    written = json.loads(out.read_text())
    assert written["name"] == "Somebody" and not written["guided"]
    shutil.copy(out, tmp_path / "people" / "copy.json")
    done = CliRunner().invoke(cli, ["run", str(take_path), "--bind", "tcp://127.0.0.1:*", "--profile", str(out.parent)])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("flags", "error", "says"),
    [
        (["--out", "folder"], OutputError, "is a folder"),
        (["--out", "anna"], OutputError, "anna.json"),
        (["--out", "notes.json"], OutputError, "no profile"),
        (["--out", "notes.json/anna.json"], OutputError, "cannot write"),
        (["--guided", "--seconds", "10"], SettingsError, "--guided"),
    ],
)
def test_the_command_refuses_before_it_opens_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], error: type, says: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["calibrate", "missing.mp4", *flags])
    assert isinstance(done.exception, error) and says in str(done.exception)


def test_the_command_has_only_flags_that_suit_a_take() -> None:
    text = CliRunner().invoke(cli, ["calibrate", "--help"]).output
    assert "--smooth-calm" in text and "--max-faces" in text
    assert not re.search("--(device|decode|loop|smooth-look-ahead-frames|smooth-ahead-ms)", text)
    assert CliRunner().invoke(cli, ["calibrate", "missing.mp4", "--seconds", "nan"]).exit_code == 2
