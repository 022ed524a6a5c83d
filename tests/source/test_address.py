"""What a user writes is understood, or refused in one line that names it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import av
import pytest

from tracker.errors import SettingsError, SourceError
from tracker.source import SourceSettings, open_source, require_apart
from tracker.source.address import Address, parse_address, without_password
from tracker.source.complaint import complaint
from tracker.source.opening import option_sets


@pytest.mark.parametrize(
    ("spec", "kind", "system", "target"),
    [
        ("-", "pipe", None, ""),
        ("/dev/video3", "camera", "v4l2", "/dev/video3"),
        ("v4l2:/dev/video0", "camera", "v4l2", "/dev/video0"),
        ("avfoundation:0", "camera", "avfoundation", "0"),
        ("dshow:video=Integrated Camera", "camera", "dshow", "video=Integrated Camera"),
        ("lavfi:testsrc2=size=64x48:rate=30", "generator", "lavfi", "testsrc2=size=64x48:rate=30"),
        ("rtsp://host:554/a", "url", None, "rtsp://host:554/a"),
        ("https://host/a.mp4", "url", None, "https://host/a.mp4"),
    ],
)
def test_kinds(spec: str, kind: str, system: str | None, target: str) -> None:
    address = parse_address(spec)
    assert (address.kind, address.system, address.target) == (kind, system, target)


@pytest.mark.parametrize("name", ["plain.mp4", "concat:a|b.mp4", "with space.mp4", "http:trick.mp4"])
def test_a_file_is_a_file_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, clip) -> None:
    (tmp_path / name).write_bytes(clip("named.mp4", frames=3).read_bytes())
    monkeypatch.chdir(tmp_path)
    for spec in (name, str(tmp_path / name), (tmp_path / name).as_uri()):
        with open_source(spec) as source:
            assert len(list(source)) == 3


def refused(spec: object, settings: SourceSettings = SourceSettings(timeout_seconds=5)) -> str:
    with pytest.raises(SourceError) as caught, open_source(str(spec), settings) as source:
        list(source)
    text = str(caught.value)
    assert "\n" not in text and len(text) > 20
    return text


def test_missing_file(tmp_path: Path) -> None:
    assert "missing.mp4" in refused(tmp_path / "missing.mp4")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("a" * 5000, "cannot look at .*too long"),
        ("file://[a", "no file's address"),
        ("a\0b", "no file 'a"),
        ("clip:" + "x" * 300, "no file"),
    ],
)
def test_no_path_at_all(spec: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        open_source(spec)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may look into any folder")
def test_a_folder_that_may_not_be_looked_into(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(SourceError, match="Permission denied; check"):
        open_source(str(closed / "a.mp4"))


def test_directory(tmp_path: Path) -> None:
    assert "directory" in refused(tmp_path)


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    assert "empty" in refused(tmp_path / "empty.mp4")


def test_nothing_at_all() -> None:
    assert "no file" in refused("")


@pytest.mark.parametrize("name", ["notes.mp4", "notes.txt", "notes"])
def test_not_a_video(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("to be, or not to be\n" * 100)
    assert name in refused(tmp_path / name)


def test_sound_only(tmp_path: Path) -> None:
    import numpy as np

    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    assert "audio" in refused(path)


@pytest.mark.parametrize("name", ["named.mp4", "named.mkv"])
def test_a_title_in_another_coding(tmp_path: Path, clip, name: str) -> None:
    """It is nothing that we show."""
    titled = tmp_path / name
    with av.open(str(clip(name))) as given, av.open(str(titled), "w") as container:
        container.metadata["title"] = "nothing"
        stream = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    data = titled.read_bytes()
    assert b"nothing" in data
    titled.write_bytes(data.replace(b"nothing", b"\xe9t\xe9 \xff\xfe!"))
    with open_source(str(titled)) as source:
        assert len(list(source)) == 30


def test_video_without_frames(tmp_path: Path, clip) -> None:
    path = tmp_path / "hollow.mkv"
    with av.open(str(clip("full.mp4"))) as given, av.open(str(path), "w") as container:
        container.add_stream_from_template(given.streams.video[0])
        container.start_encoding()
    assert "hollow.mkv" in refused(path)


def test_index_cut_away(tmp_path: Path, clip) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(clip("full.mp4").read_bytes()[:600])
    assert "cut.mp4" in refused(path)


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ("carrier-pigeon://roof/2", "carrier-pigeon"),
        ("webcam:0", "webcam:"),
        ("v4l2:", "no camera"),
        ("lavfi:", "no generator"),
        ("lavfi:no_such_filter=1", "no_such_filter"),
        ("lavfi:anullsrc", "no video"),
        ("v4l2:/dev/video97", "/dev/video97"),
        ("/dev/video97", "/dev/video97"),
        ("tcp://127.0.0.1:9", "127.0.0.1:9"),
        ("http://127.0.0.1:9/a.mp4", "127.0.0.1:9"),
        ("rtsp://127.0.0.1:9/a", "127.0.0.1:9"),
    ],
)
def test_named_but_not_there(spec: str, named: str) -> None:
    assert named in refused(spec)


@pytest.mark.parametrize("spec", ["avfoundation:0", "dshow:video=Camera"])
def test_cameras_of_other_systems(spec: str) -> None:
    system = spec.partition(":")[0]
    try:
        av.ContainerFormat(system, "r")
    except ValueError:
        assert system in refused(spec)
    else:
        pytest.skip(f"this machine has {system}")


def test_a_password_is_never_shown() -> None:
    assert without_password("rtsp://user:se@cret@host:554/a@b") == "rtsp://user:***@host:554/a@b"
    assert without_password("http://host:80/a@b") == "http://host:80/a@b"
    text = refused("rtsp://user:secret@127.0.0.1:9/a")
    assert "secret" not in text and "user:***" in text


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EBUSY, "in use"),
        (errno.EACCES, "permission"),
        (errno.ENOENT, "facewire devices"),
        (errno.ENODEV, "no camera"),
        (errno.EINVAL, "--width-px"),
        (errno.EIO, "cannot read camera"),
    ],
)
def test_what_a_camera_can_answer(number: int, said: str) -> None:
    address = parse_address("v4l2:/dev/video0")
    with pytest.raises(av.FFmpegError) as caught:
        av.error.err_check(-number, "/dev/video0")
    text = str(complaint(caught.value, address, 5))
    assert said in text and "/dev/video0" in text and "\n" not in text


def test_a_large_picture_is_asked_for_as_mjpeg_first() -> None:
    camera = parse_address("v4l2:/dev/video0")
    large = option_sets(camera, SourceSettings(width_px=1280, height_px=720, fps=30))
    assert large[0] == {"video_size": "1280x720", "framerate": "30", "input_format": "mjpeg"}
    assert large[1] == {"video_size": "1280x720", "framerate": "30"}
    assert option_sets(camera, SourceSettings(width_px=640, height_px=480)) == [{"video_size": "640x480"}]
    assert option_sets(camera, SourceSettings()) == [{}]
    windows = Address("camera", "video=A", "dshow", "dshow:video=A")
    assert option_sets(windows, SourceSettings(width_px=1280, height_px=720))[0]["vcodec"] == "mjpeg"


@pytest.mark.parametrize(
    "wrong",
    [{"width_px": 640}, {"height_px": 480}, {"width_px": 0, "height_px": 480}, {"fps": -1.0}, {"fps": float("nan")},
     {"timeout_seconds": 0.0}, {"timeout_seconds": float("inf")}, {"timeout_seconds": 1e10}],
)  # fmt: skip
def test_impossible_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong)).split("_")[0]):
        SourceSettings(**wrong)  # type: ignore[arg-type]


def test_settings_that_do_not_fit(clip) -> None:
    with pytest.raises(SettingsError, match="camera"):
        open_source(str(clip("full.mp4")), SourceSettings(width_px=640, height_px=480))
    with pytest.raises(SettingsError, match="--loop"):
        open_source("lavfi:testsrc", SourceSettings(loop=True))


def test_an_output_that_is_the_source_is_refused_by_whatever_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip
) -> None:
    own, linked, hard = clip("own.mp4", frames=3), tmp_path / "linked.mp4", tmp_path / "hard.mp4"
    linked.symlink_to(own)
    os.link(own, hard)
    monkeypatch.chdir(own.parent)
    for spec in (str(own), own.name, own.as_uri(), str(linked)):
        for output in (own, Path(own.name), linked, hard):
            with pytest.raises(SettingsError, match=f"{output.name} is the source itself.*--preview"):
                require_apart(spec, [tmp_path / "other.mp4", output], "--preview")
        require_apart(spec, [tmp_path / "other.mp4"], "--preview")


def test_an_output_that_standard_input_comes_from_is_refused(tmp_path: Path, clip) -> None:
    own, terminal = clip("own.mp4", frames=3), os.dup(0)
    try:
        with own.open("rb") as stream:
            os.dup2(stream.fileno(), 0)
        with pytest.raises(SettingsError, match="the source itself"):
            require_apart("-", [own], "--preview")
        require_apart("-", [tmp_path / "other.mp4"], "--preview")
    finally:
        os.dup2(terminal, 0)
        os.close(terminal)
