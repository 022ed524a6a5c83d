"""Footage: numbered in its pixels, without a cut at its end, one face or several."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tracker.bench import footage, strip
from tracker.bench.footage import Reel, Shot
from tracker.errors import SettingsError, SourceError


@pytest.fixture(scope="module")
def reel(faceless_clip: Path) -> Reel:
    found = footage.load(faceless_clip, find_face=False)
    return Reel(found.pictures[:9], found.rate_hz, (80.0, 60.0, 60.0))


def test_frames_are_numbered_and_come_without_delay(tmp_path: Path, reel: Reel) -> None:
    shot = Shot(120, 60, crf=40)
    count = footage.film(reel, shot, tmp_path / "a.mp4")
    assert count == footage.frames_of(reel, shot) == 32  # nine pictures forth and back, each twice
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert not stream.codec_context.has_b_frames and stream.average_rate == 60
        pictures = list(container.decode(stream))
    assert [strip.read(picture.to_ndarray()[:120]) for picture in pictures] == list(range(count))
    assert [round(picture.time * 60) for picture in pictures] == list(range(count))


def test_the_end_leads_to_the_beginning(reel: Reel) -> None:
    shot = Shot(120, 30)
    pictures = [footage.compose(reel, shot, k).astype(int) for k in (*range(16), 0)]
    steps = [np.abs(a - b).mean() for a, b in zip(pictures, pictures[1:], strict=False)]
    assert len(steps) == footage.frames_of(reel, shot) and max(steps) < 2 * np.median(steps)


@pytest.mark.parametrize("faces", [2, 3, 8])
def test_every_face_has_a_tile_clear_of_the_strip(reel: Reel, faces: int) -> None:
    shot = Shot(240, 30, faces)
    planes = footage.compose(reel, shot, 0)
    columns, rows = footage.grid(faces)
    assert columns * rows >= faces
    side = min(shot.width_px // columns, (240 - strip.cell_px(240)) // rows) // 2 * 2
    assert (planes[: strip.cell_px(240)] == footage.GREY).all()
    tiles = []
    for k in range(faces):
        row, column = divmod(k, columns)
        top, left = strip.cell_px(240) + row * side, column * side
        tiles.append(planes[top : top + side, left : left + side].astype(int))
    assert all(tile.shape == (side, side) and tile.std() > 5 for tile in tiles)
    assert all(np.abs(a - b).mean() > 0.5 for a, b in zip(tiles, tiles[1:], strict=False))


def test_bad_wishes_are_named(tmp_path: Path) -> None:
    for wrong in ({"height_px": 721}, {"rate_hz": 0}, {"faces": 9}, {"faces": 0}):
        with pytest.raises(SettingsError, match="give"):
            Shot(**wrong)
    with pytest.raises(SourceError, match="no file"):
        footage.load(tmp_path / "none.mp4", find_face=False)
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError, match="not a video"):
        footage.load(tmp_path / "bad.mp4", find_face=False)


def test_a_phones_picture_stands(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "phone.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 120, 160, "yuv420p"
        stream.set_display_rotation(90)
        for number in range(3):
            picture = av.VideoFrame.from_ndarray(np.full((160, 120, 3), 40 * number, np.uint8), "rgb24")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    reel = footage.load(tmp_path / "phone.mp4", find_face=False)
    assert {(picture.width, picture.height) for picture in reel.pictures} == {(160, 120)}
    planes = footage.compose(reel, Shot(120, 30), 0)
    assert (planes[60, :8] == footage.GREY).all() and (planes[60, 30:180] != footage.GREY).all(), "4 to 3, not 3 to 4"
