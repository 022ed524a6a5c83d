"""The strip comes through a codec, and what does not come through is not guessed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tracker.bench import strip
from tracker.errors import SettingsError

NUMBERS = (0, 1, 2, 0xAAAAA, 0x55555, 0x0F0F0, strip.NUMBERS - 1)


def _grey(height: int = 240, width: int = 426, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(40, 200, (height, width), dtype=np.uint8)


@pytest.mark.parametrize(("height", "crf"), [(120, 38), (360, 51), (720, 51)])
def test_a_bad_line_leaves_the_numbers(tmp_path: Path, height: int, crf: int) -> None:
    """51 is the worst that x264 has; cells of four pixels need a little more."""
    path, width = tmp_path / "worst.mp4", height * 16 // 9 // 2 * 2
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": str(crf), "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for k, number in enumerate(NUMBERS):
            planes = np.full((height * 3 // 2, width), 128, np.uint8)
            planes[:height] = _grey(height, width, k)
            strip.draw(planes[:height], number)
            picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            picture.pts, picture.time_base = k, Fraction(1, 30)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        read = [strip.read(picture.to_ndarray()[:height]) for picture in container.decode(video=0)]
    assert read == list(NUMBERS)


def test_damage_is_noticed() -> None:
    """Any one or two cells turned over, and any run of up to eight."""
    luma = _grey()
    strip.draw(luma, 0x5A5A5)
    side = strip.cell_px(240)
    cells = range(len(strip.MARK), strip.CELLS)

    def turned(*which: int) -> np.ndarray:
        harmed = luma.copy()
        for cell in which:
            harmed[:side, cell * side : (cell + 1) * side] = 251 - harmed[:side, cell * side : (cell + 1) * side]
        return harmed

    assert strip.read(luma) == 0x5A5A5
    assert all(strip.read(turned(a, b)) is None for a in cells for b in range(a, strip.CELLS) if a != b)
    assert all(strip.read(turned(a)) is None for a in range(strip.CELLS))
    runs = [range(a, a + long) for long in range(3, 9) for a in range(len(strip.MARK), strip.CELLS - long)]
    assert all(strip.read(turned(*run)) is None for run in runs)


def test_what_is_no_strip_has_no_number() -> None:
    assert all(strip.read(_grey(seed=k)) is None for k in range(200))
    for grey in (0, 16, 128, 235, 255):
        assert strip.read(np.full((240, 426), grey, np.uint8)) is None
    assert strip.read(np.zeros((240, 20), np.uint8)) is None
    luma = _grey()
    strip.draw(luma, 7)
    middle = luma.copy()
    middle[:4, 5 * 4 : 6 * 4] = 126  # a cell neither black nor white
    assert strip.read(luma) == 7 and strip.read(middle) is None


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(SettingsError, match=f"number {strip.NUMBERS}"):
        strip.draw(_grey(), strip.NUMBERS)
    with pytest.raises(SettingsError, match="into 100 columns"):
        strip.draw(_grey(240, 100), 1)
