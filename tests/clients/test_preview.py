"""The overlay video and the contact sheet: written files are decoded again, and pixels change where the mesh is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tracker.clients import font, ink
from tracker.clients.demo import bundled_clip
from tracker.clients.overlay import Overlay
from tracker.clients.picture import Painter
from tracker.clients.preview import Bystander, Preview, contact_sheet
from tracker.errors import OutputError, SettingsError
from tracker.face.expression import ARKIT_INDEX, ARKIT_NAMES
from tracker.face.model import FaceModel
from tracker.face.parameters import Deviation, Face, TrackState
from tracker.face.topology import NOSE_TIP
from tracker.render import cam_from_ray
from tracker.source import open_source
from tracker.source.frame import Frame

LOST_RGB = np.array([255, 80, 80])


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return FaceModel.load()


def face_at(
    model: FaceModel, centre_px: tuple[float, float], scale: float, state=TrackState.TRACKING, **shapes
) -> Face:
    weights = np.zeros(52, np.float32)
    for name, value in shapes.items():
        weights[ARKIT_INDEX[name]] = value
    landmarks = (model.mean_mm * scale + [*centre_px, 0]).astype(np.float32)
    eye, none = np.eye(3, dtype=np.float32), np.zeros(3, np.float32)
    return Face(
        track_id=3, state=state, landmarks_px=landmarks, blendshapes=weights, blendshapes_raw=weights, rotation=eye,
        rotation_raw=eye, translation_mm=none, translation_raw_mm=none, identity=np.zeros(8, np.float32),
        gaze=np.zeros((2, 3), np.float32), lighting=np.zeros((9, 3), np.float32), confidence=0.87,
        region_confidence=np.ones(5, np.float32),
        deviation=Deviation(np.zeros(52, np.float32), 0.0, 0.0, none, 0.0),
    )  # fmt: skip


def grey_frame(width: int, height: int, index: int = 0, fps: int = 25, level: int = 110) -> Frame:
    chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    planes = (np.full((height, width), level, np.uint8), chroma, chroma)
    return Frame(planes, "i420", 8, "bt601", False, index, Fraction(1, fps), index, 0, 0)


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def has_text(picture: np.ndarray, words: str, rgb: np.ndarray | None = None, scale: int = 1) -> bool:
    """Is every dot of the words in the picture somewhere, in one colour and with other colours around?"""
    mask = font.text_mask(words, scale)
    inside = np.argwhere((picture == rgb).all(-1)) if rgb is not None else np.argwhere((picture > 240).all(-1))
    first = np.argwhere(mask)[0]
    for y, x in inside - first:
        window = picture[y : y + mask.shape[0], x : x + mask.shape[1]] if min(x, y) >= 0 else picture[:0]
        if window.shape[:2] == mask.shape:
            ink_here = (window == rgb).all(-1) if rgb is not None else (window > 240).all(-1)
            if (ink_here == mask).all():
                return True
    return False


def test_video_has_every_frame_at_its_time_and_even_size(model: FaceModel, tmp_path: Path) -> None:
    path = tmp_path / "overlay.mp4"
    with Preview(path, 25, model) as preview:
        for index in (0, 1, 2, 5, 6):  # two were dropped
            picture = preview.add(grey_frame(321, 241, index), [face_at(model, (160, 90), 0.9)])
    assert picture.shape == (242, 322, 3)
    frames = decoded(path)
    assert [(f.width, f.height) for f in frames] == [(322, 242)] * 5
    assert [round(float(f.pts * f.time_base) * 25) for f in frames] == [0, 1, 2, 5, 6]
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"


def test_frames_without_time_follow_at_the_given_rate(model: FaceModel, tmp_path: Path) -> None:
    with Preview(tmp_path / "o.mp4", 10, model) as preview:
        for index in range(3):
            preview.add(replace(grey_frame(64, 48, index), pts=None), [])
    assert [round(float(f.pts * f.time_base), 3) for f in decoded(tmp_path / "o.mp4")] == [0.0, 0.1, 0.2]


@pytest.mark.parametrize(("fps", "count"), [(1, 8), (5, 12), (30, 31)])
def test_the_last_frame_is_shown_too(model: FaceModel, tmp_path: Path, fps: int, count: int) -> None:
    """Also where it alone is in the last piece of an MP4, and where it could be predicted from both sides."""
    with Preview(tmp_path / "o.mp4", fps, model) as preview, open_source(bundled_clip()) as source:
        for index, frame in zip(range(count), source, strict=False):
            preview.add(replace(frame, pts=index, time_base=Fraction(1, fps)), [])
    assert [round(float(f.pts * f.time_base) * fps) for f in decoded(tmp_path / "o.mp4")] == list(range(count))


@pytest.mark.parametrize("fps", [None, 0, -25, float("nan"), 90_000])
def test_a_rate_that_is_none_counts_as_30(model: FaceModel, tmp_path: Path, fps: float | None) -> None:
    with Preview(tmp_path / "o.mp4", fps, model) as preview:
        for index in range(3):
            preview.add(replace(grey_frame(64, 48, index), pts=None), [])
    assert [round(float(f.pts * f.time_base) * 30) for f in decoded(tmp_path / "o.mp4")] == [0, 1, 2]


def test_pixels_change_where_the_mesh_is_and_nowhere_else(model: FaceModel, tmp_path: Path) -> None:
    path = tmp_path / "overlay.mp4"
    face = face_at(model, (440, 200), 1.4)
    with Preview(path, 25, model) as preview:
        for index in range(2):
            preview.add(grey_frame(640, 480, index), [face])
    seen = decoded(path)[1].to_ndarray(format="rgb24").astype(int)
    change = np.abs(seen - seen[470, 630]).max(-1)
    on = np.clip(face.landmarks_px[:, :2].astype(int), 0, [639, 479])
    assert (change[on[:, 1], on[:, 0]] > 25).mean() > 0.9
    low, high = face.landmarks_px[:, :2].min(0), face.landmarks_px[:, :2].max(0)
    away = np.ones_like(change, bool)
    away[int(low[1]) - 20 : int(high[1]) + 90, int(low[0]) - 20 : int(high[0]) + 90] = False
    away[:200, :420] = away[440:, :320] = False  # the panel and the stamp
    assert change[away].max() <= 12
    assert seen[470, 630] == pytest.approx([109.4] * 3, abs=3)  # luma 110 of limited range


def test_panel_names_the_strongest_shapes_with_bars_as_long_as_they_are_strong(model: FaceModel) -> None:
    shapes = {"jawOpen": 0.9, "mouthSmileLeft": 0.7, "browInnerUp": 0.5, "eyeBlinkRight": 0.3, "mouthPucker": 0.2}
    picture = np.full((300, 400, 3), 90, np.uint8)
    Overlay(model)(picture, [face_at(model, (300, 150), 0.7, **shapes, cheekPuff=0.1)])
    tracking = np.array([70, 235, 200])
    assert has_text(picture, "#3 tracking 0.87", tracking)
    for name, value in shapes.items():
        assert has_text(picture, name), name
        assert has_text(picture, f"{value:.2f}")
    assert not has_text(picture, "cheekPuff")
    bars = (picture[:90, 124:164] == tracking).all(-1).sum(1)
    lengths = [bars[17 + 10 * place] for place in range(5)]
    assert lengths == [round(40 * value) for value in shapes.values()]


@pytest.mark.parametrize("state", [TrackState.COASTING, TrackState.LOST])
def test_frame_without_a_face_says_so(model: FaceModel, state: TrackState) -> None:
    empty, held = (np.full((300, 400, 3), 90, np.uint8) for _ in range(2))
    Overlay(model)(empty, [])
    assert has_text(empty, "no face", LOST_RGB)
    face = face_at(model, (300, 150), 0.7, state)
    Overlay(model)(held, [face])
    assert has_text(held, "no face", LOST_RGB)
    drawn = (held[60:220, 260:340] != 90).any()
    assert drawn == (state == TrackState.COASTING)  # a held mesh is shown, a lost one is not


def test_a_seen_face_is_not_called_missing(model: FaceModel) -> None:
    picture = np.full((300, 400, 3), 90, np.uint8)
    Overlay(model)(picture, [face_at(model, (300, 150), 0.7)])
    assert not has_text(picture, "no face", LOST_RGB)


def test_faces_partly_outside_huge_or_not_finite_are_survived(model: FaceModel) -> None:
    picture = np.full((120, 160, 3), 90, np.uint8)
    face = face_at(model, (5, -20), 2.0)
    broken = replace(face, landmarks_px=np.full((478, 3), np.nan, np.float32))
    Overlay(model)(picture, [face, broken, face_at(model, (80, 60), 1e6), face_at(model, (-900, 0), 1.0)] * 3)
    assert (picture != 90).any()


@pytest.mark.parametrize("render", [None, "regions", "depth"])
def test_the_nearer_face_covers_the_farther_one_whoever_was_there_first(model: FaceModel, render: str | None) -> None:
    near = replace(face_at(model, (250, 150), 0.9), translation_mm=np.array([0, 0, 400], np.float32))
    far = replace(face_at(model, (290, 130), 0.5), translation_mm=np.array([0, 0, 800], np.float32))
    overlay = Overlay(model, render)
    alone, one, other = (np.full((300, 400, 3), 90, np.uint8) for _ in range(3))
    for picture, faces in ((alone, [near]), (one, [near, far]), (other, [far, near])):
        overlay(picture, faces)
    assert (one == other).all()
    if render:
        below = slice(140, None)  # the panels
        inside = (alone[below] != 90).any(-1)
        assert (one[below][inside] == alone[below][inside]).all()
        assert (one[below][~inside] != 90).any(), "the far one looks out behind it"


def test_axes_are_those_the_picture_shows(model: FaceModel) -> None:
    """A face at the edge that is turned to the camera points its nose along the ray: out of the picture, not across."""
    aside = np.array([400, 0, 700], np.float32)
    picture = np.full((960, 1280, 3), 90, np.uint8)
    face = replace(face_at(model, (900, 600), 2), translation_mm=aside, rotation=cam_from_ray(aside))
    Overlay(model, "mask")(picture, [face])
    blue = np.argwhere((picture == [90, 150, 255]).all(-1))
    assert len(blue) and np.abs(blue - face.landmarks_px[NOSE_TIP, 1::-1]).max() < 5


def test_another_size_on_the_way_is_fitted(model: FaceModel, tmp_path: Path) -> None:
    face = face_at(model, (400, 160), 1.0)
    with Preview(tmp_path / "o.mp4", 25, model) as preview:
        preview.add(grey_frame(320, 240, 0), [])
        picture = preview.add(grey_frame(640, 320, 1), [face]).copy()
    assert [(f.width, f.height) for f in decoded(tmp_path / "o.mp4")] == [(320, 240)] * 2
    assert (picture[165:220, 100:] == 0).all()  # half as large: 320 x 160, and black below
    nose = (face.landmarks_px[4, :2] / 2).astype(int)
    assert np.abs(picture[nose[1] - 2 : nose[1] + 3, nose[0] - 2 : nose[0] + 3].astype(int) - 109).max() > 60


# Luma and chroma of the primary red, by the standards: BT.601 and BT.709, limited and full range.
RED = {("bt601", False): (81, 90, 240), ("bt709", False): (63, 102, 240), ("bt601", True): (76, 85, 255)}


@pytest.mark.parametrize(("matrix", "full_range"), list(RED))
@pytest.mark.parametrize("layout", ["i420", "nv12"])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_colours_are_right_in_every_layout(matrix: str, full_range: bool, layout: str, bit_depth: int) -> None:
    kind = np.uint8 if bit_depth == 8 else np.uint16
    shapes = [(48, 64), (24, 32), (24, 32)]
    values = RED[matrix, full_range]
    y, u, v = (np.full(shape, value << (bit_depth - 8), kind) for shape, value in zip(shapes, values, strict=True))
    planes = (y, u, v) if layout == "i420" else (y, np.stack([u, v], -1))
    frame = Frame(planes, layout, bit_depth, matrix, full_range, 0, Fraction(1, 25), 0, 0, 0)
    picture, scale = Painter(64, 48).rgb(frame)
    assert scale == 1
    assert picture[20, 20] == pytest.approx([255, 0, 0], abs=6)


def test_rgb_and_turned_planes_keep_their_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    turned = Frame((np.rot90(image),), "rgb24", 8, "bt601", True, None, Fraction(1), 0, 0, 0)
    picture, _ = Painter(48, 64).rgb(turned)
    assert (picture == np.rot90(image)).all()


def test_colours_survive_the_encoder(model: FaceModel, tmp_path: Path) -> None:
    image = np.full((480, 640, 3), (200, 60, 40), np.uint8)
    frame = Frame((image,), "rgb24", 8, "bt601", True, 0, Fraction(1, 25), 0, 0, 0)
    with Preview(tmp_path / "o.mp4", 25, model) as preview:
        preview.add(frame, [])
    again = decoded(tmp_path / "o.mp4")[0].reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
    assert again[300, 400] == pytest.approx([200, 60, 40], abs=5)


def test_preview_without_a_frame_leaves_no_file(model: FaceModel, tmp_path: Path) -> None:
    preview = Preview(tmp_path / "o.mp4", 25, model)
    preview.close()
    preview.close()
    assert not (tmp_path / "o.mp4").exists()


def refused_by_the_disk(folder: Path) -> Path:
    """A file that can be opened, and takes nothing."""
    if not Path("/dev/full").is_char_device():
        pytest.skip("no /dev/full here")
    path = folder / "full.mp4"
    path.symlink_to("/dev/full")
    return path


@contextmanager
def small_files(most_bytes: int) -> Iterator[None]:
    """No file may grow beyond that, as on a disk that is full."""
    resource = pytest.importorskip("resource", reason="no limits on files here")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def noise(index: int) -> Frame:
    image = np.random.default_rng(index).integers(0, 255, (240, 320, 3), np.uint8)
    return Frame((image,), "rgb24", 8, "bt601", True, index, Fraction(1, 25), index, 0, 0)


def added(preview: Preview, frames: int) -> int:
    """How many of them were taken before one was refused."""
    for index in range(frames):
        try:
            preview.add(noise(index), [])
        except OutputError:
            return index
    return frames


def test_a_disk_that_takes_nothing_is_one_line(model: FaceModel, tmp_path: Path) -> None:
    path = refused_by_the_disk(tmp_path)
    preview = Preview(path, 25, model)
    assert added(preview, 60) < 60
    for _ in range(2):  # once refused, the library is not asked again: it would crash
        with pytest.raises(OutputError, match=r"cannot write .*full.mp4 \(No space left on device\); give"):
            preview.add(noise(0), [])
    preview.close()
    assert path.is_symlink() and Path("/dev/full").is_char_device()


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_disk_that_becomes_full_is_one_line(model: FaceModel, tmp_path: Path, suffix: str) -> None:
    preview = Preview(tmp_path / f"o.{suffix}", 25, model)
    with small_files(200_000), pytest.raises(OutputError, match="cannot write"):
        for index in range(40):
            preview.add(noise(index), [])
        preview.close()  # some containers are told only here
    preview.close()


def readable(path: Path) -> list[float]:
    """When the frames are that a player shows before it meets the end that is missing, in seconds."""
    seconds: list[float] = []
    with suppress(av.FFmpegError), av.open(str(path)) as container:
        for frame in container.decode(video=0):
            seconds.append(float(frame.pts * frame.time_base))
    return seconds


def test_a_video_that_is_cut_off_plays_up_to_its_last_seconds(model: FaceModel, tmp_path: Path) -> None:
    path, cut = tmp_path / "o.mp4", tmp_path / "cut.mp4"
    with Preview(path, 25, model) as preview:
        for index in range(120):
            preview.add(noise(index), [])
        cut.write_bytes(path.read_bytes())  # as it lies there when the power fails
    whole, kept = readable(path), readable(cut)
    assert len(whole) == 120 and 45 <= len(kept) < 120
    assert kept == pytest.approx([k / 25 for k in range(len(kept))], abs=1e-3)


def test_a_disk_that_becomes_full_keeps_what_was_written(model: FaceModel, tmp_path: Path) -> None:
    path = tmp_path / "o.mp4"
    with Preview(path, 25, model) as preview:
        added(preview, 80)
    whole_bytes = path.stat().st_size
    for most_bytes in (whole_bytes * 2 // 3, whole_bytes - 500):  # in the midst of the pictures, or of the index
        preview = Preview(path, 25, model)
        with small_files(most_bytes), pytest.raises(OutputError, match="cannot write"):
            added(preview, 80)
            preview.close()
        preview.close()
        assert len(readable(path)) >= 25


def test_a_whole_video_is_a_plain_one(model: FaceModel, tmp_path: Path) -> None:
    """One index, and no pieces, which some editors do not take."""
    path = tmp_path / "o.mp4"
    with Preview(path, 25, model) as preview:
        added(preview, 60)
    held, at, boxes = path.read_bytes(), 0, list[bytes]()
    while at < len(held):
        boxes.append(held[at + 4 : at + 8])
        at += int.from_bytes(held[at : at + 4])
    assert boxes == [b"ftyp", b"free", b"mdat", b"moov"]


def test_a_bystander_tells_once_and_lets_the_run_go_on(model: FaceModel, tmp_path: Path) -> None:
    told: list[str] = []
    beside = Bystander(Preview(refused_by_the_disk(tmp_path), 25, model), told.append)
    for index in range(60):
        beside.add(noise(index), [])
    beside.close()
    (line,) = told
    assert "No space left" in line and line.endswith("tracking and publishing go on")
    with pytest.raises(OutputError, match="full.mp4 is not whole"):
        beside.outcome()


def test_a_bystander_survives_what_cannot_be_drawn_and_keeps_what_was(model: FaceModel, tmp_path: Path) -> None:
    told: list[str] = []
    path = tmp_path / "o.mp4"
    beside = Bystander(Preview(path, 25, model), told.append)
    drawable = face_at(model, (30, 20), 0.2)
    for index in range(5):
        beside.add(grey_frame(64, 48, index), [drawable] if index != 3 else [None])  # type: ignore[list-item]
    beside.close()
    assert len(told) == 1 and "after 3 frames: " in told[0]
    assert len(decoded(path)) == 3


def test_a_bystander_says_what_was_written(model: FaceModel, tmp_path: Path) -> None:
    told: list[str] = []
    for frames, said in (
        (2, f"wrote {tmp_path / 'o.mp4'}"),
        (0, f"no frame came, so there is no {tmp_path / 'o.mp4'}"),
    ):
        beside = Bystander(Preview(tmp_path / "o.mp4", 25, model), told.append)
        for index in range(frames):
            beside.add(grey_frame(64, 48, index), [])
        beside.close()
        assert beside.outcome() == said
    assert not told


@pytest.mark.parametrize("name", ["notes.txt", "o.webm", "o.gif"])
def test_a_file_that_can_be_no_preview_is_left_as_it_was(model: FaceModel, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("kept")
    with pytest.raises(SettingsError, match=f"{name}.*give a file such as preview.mp4"):
        Preview(path, 25, model)
    assert path.read_text() == "kept"


def test_a_name_with_a_colon_is_no_protocol(model: FaceModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Preview("9:30.mp4", 25, model) as preview:
        preview.add(grey_frame(64, 48), [])
    assert len(decoded(tmp_path / "9:30.mp4")) == 1


@pytest.mark.parametrize("name", ["missing/o.mp4", "o.unknown"])
def test_unwritable_preview_is_one_line(model: FaceModel, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        Preview(tmp_path / name, 25, model)
    assert not (tmp_path / name).exists()
    assert "\n" not in str(caught.value)


def test_contact_sheet_is_a_png_of_the_pictures(tmp_path: Path) -> None:
    images = [np.full((100 + 20 * k, 200, 3), 40 * k + 20, np.uint8) for k in range(5)]
    path = contact_sheet(images, tmp_path / "sheet.png", columns=3, cell_px=100)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    sheet = decoded(path)[0].to_ndarray(format="rgb24")
    assert sheet.shape == (2 * (90 + 4) + 4, 3 * 104 + 4, 3)
    for k in range(5):
        top, left = 4 + (k // 3) * 94, 4 + (k % 3) * 104
        assert (np.abs(sheet[top + 5 : top + 40, left + 5 : left + 95].astype(int) - (40 * k + 20)) <= 2).all()


def test_contact_sheet_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least one"):
        contact_sheet([], tmp_path / "sheet.png")
    with pytest.raises(SettingsError, match="missing"):
        contact_sheet([np.zeros((8, 8, 3), np.uint8)], tmp_path / "missing" / "sheet.png")


def test_font_tells_every_letter_apart_and_has_all_that_names_need() -> None:
    used = sorted(set("".join(ARKIT_NAMES)) | set("#0123456789. noface tracking acquiring coasting lost"))
    shapes = {font.text_mask(letter).tobytes() for letter in used}
    assert len(shapes) == len(used)
    unknown = font.text_mask("é").tobytes()
    assert unknown not in shapes


def test_line_ink_is_where_the_line_is() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    ink.lines(picture, np.array([[5.5, 10.5]]), np.array([[50.5, 10.5]]), (200, 100, 50))
    assert (picture[10, 5:51] == (200, 100, 50)).all()
    assert picture.sum() == 46 * 350
    slanted = np.zeros((40, 60, 3), np.uint8)
    ink.lines(slanted, np.array([[5.0, 5.0]]), np.array([[50.0, 30.0]]), (128, 128, 128))
    rows, columns = np.nonzero(slanted[..., 0])
    distance = np.abs((columns + 0.5 - 5) * 25 - (rows + 0.5 - 5) * 45) / np.hypot(25, 45)
    assert distance.max() < 1.0
    assert slanted[..., 0].sum() == pytest.approx(128 * 46, rel=0.04)  # one pixel's worth a column
