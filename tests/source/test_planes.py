"""Pixels: each format's known colour, odd sizes, turns and mirrors, matrix and range."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from tracker.errors import SettingsError, SourceError
from tracker.kernels.backend import choose
from tracker.source import Frame, frame_from_av, frame_from_image, open_source
from tracker.source.frame import plane_shapes
from tracker.source.planes import PlaneReader

RGB = (200, 60, 30)
SIZES = [(64, 48), (63, 47), (17, 33), (1, 1), (2, 1)]


def coloured(pix_fmt: str, size: tuple[int, int], matrix: str = "ITU601", limited: bool = True) -> av.VideoFrame:
    """A picture of the colour `RGB`, converted by FFmpeg."""
    rgb = np.empty((size[1], size[0], 3), np.uint8)
    rgb[:] = RGB
    picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    return picture.reformat(
        format=pix_fmt, dst_colorspace=matrix.lower(), dst_color_range="MPEG" if limited else "JPEG"
    )


def as_rgb(frame: Frame) -> np.ndarray:
    """The whole frame as the tracker will see it, [3, H, W]."""
    out = np.empty((3, frame.height_px, frame.width_px), np.float32)
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    choose("reference").crop_roi(
        frame.planes, frame.layout, frame.bit_depth, frame.matrix, frame.full_range, identity, out
    )
    return out


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("pix_fmt", "layout", "bit_depth", "values", "planes"),
    [
        ("yuv420p", "i420", 8, (90, 100, 190), (90, 100, 190)),
        ("yuvj420p", "i420", 8, (90, 100, 190), (90, 100, 190)),
        ("nv12", "nv12", 8, (90, 100, 190), (90, (100, 190))),
        ("rgb24", "rgb24", 8, RGB, (RGB,)),
        ("yuv420p10le", "i420", 10, (400, 410, 700), (400, 410, 700)),
    ],
)
def test_read_as_they_are(solid_picture, size, pix_fmt, layout, bit_depth, values, planes) -> None:
    frame = frame_from_av(solid_picture(pix_fmt, size, values))
    assert (frame.layout, frame.bit_depth, frame.reformatted) == (layout, bit_depth, False)
    assert [plane.shape for plane in frame.planes] == plane_shapes(layout, size[1], size[0])
    for plane, value in zip(frame.planes, planes, strict=True):
        assert (plane == np.array(value)).all()


@pytest.mark.parametrize(
    ("pix_fmt", "values", "wanted"),
    [
        ("yuv422p", (90, 100, 190), (90, 100, 190)),
        ("yuvj422p", (255, 100, 190), (255, 100, 190)),
        ("yuv444p", (90, 100, 190), (90, 100, 190)),
        ("nv21", (90, 190, 100), (90, 100, 190)),
        ("yuyv422", (90, 100, 90, 190), (90, 100, 190)),
        ("p010le", (400 << 6, 410 << 6, 700 << 6), (400, 410, 700)),
        ("yuv422p10le", (400, 410, 700), (400, 410, 700)),
        ("yuv444p12le", (1600, 1640, 2800), (400, 410, 700)),
    ],
)
def test_converted_to_i420(solid_picture, pix_fmt: str, values: tuple, wanted: tuple) -> None:
    frame = frame_from_av(solid_picture(pix_fmt, (64, 48), values))
    assert frame.layout == "i420" and frame.reformatted
    assert frame.bit_depth == (10 if pix_fmt.endswith("le") else 8)
    for plane, value in zip(frame.planes, wanted, strict=True):
        assert np.abs(plane.astype(int) - value).max() <= 1


@pytest.mark.parametrize("limited", [True, False])
@pytest.mark.parametrize("matrix", ["ITU601", "ITU709", "BT2020"])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "nv12", "yuv420p10le", "yuv444p", "p010le", "yuv422p10le"])
def test_colour_survives(pix_fmt: str, matrix: str, limited: bool) -> None:
    """What FFmpeg wrote with this matrix and range, the crop kernel reads back as the same colour."""
    frame = frame_from_av(coloured(pix_fmt, (64, 48), matrix, limited))
    assert frame.full_range is not limited
    assert frame.matrix == {"ITU601": "bt601", "ITU709": "bt709", "BT2020": "bt2020"}[matrix]
    assert np.abs(as_rgb(frame)[:, 10:-10, 10:-10] - np.array(RGB).reshape(3, 1, 1)).max() < 4


@pytest.mark.parametrize("pix_fmt", ["bgr24", "rgba", "gbrp", "bgr0", "rgb48le", "gbrp10le", "rgb565le"])
def test_rgb_of_other_orders(pix_fmt: str) -> None:
    rgb = np.empty((48, 64, 3), np.uint8)
    rgb[:] = RGB
    frame = frame_from_av(av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pix_fmt))
    assert frame.layout == "i420" and frame.full_range and frame.reformatted
    assert np.abs(as_rgb(frame)[:, 10:-10, 10:-10] - np.array(RGB).reshape(3, 1, 1)).max() < 7  # 565 has 5 bits


@pytest.mark.parametrize(("grey", "bits"), [("gray", 8), ("gray10le", 10)])
def test_grey(solid_picture, grey: str, bits: int) -> None:
    frame = frame_from_av(solid_picture(grey, (64, 48), (100 << (bits - 8),)))
    assert np.abs(as_rgb(frame)[:, 10:-10, 10:-10] - 100).max() < 3


@pytest.mark.parametrize(
    ("height", "space", "expected"),
    [
        (480, 2, "bt601"),
        (720, 2, "bt709"),
        (480, 1, "bt709"),
        (1080, 5, "bt601"),
        (1080, 6, "bt601"),
        (480, 9, "bt2020"),
    ],
)
def test_matrix(solid_picture, height: int, space: int, expected: str) -> None:
    picture = solid_picture("yuv420p", (64, height), (90, 100, 190))
    picture.colorspace = space
    assert frame_from_av(picture).matrix == expected


@pytest.mark.parametrize(("flag", "full"), [(0, False), (1, False), (2, True)])
def test_range(solid_picture, flag: int, full: bool) -> None:
    picture = solid_picture("yuv420p", (64, 48), (90, 100, 190))
    picture.color_range = flag
    assert frame_from_av(picture).full_range is full
    assert frame_from_av(solid_picture("yuvj420p", (64, 48), (90, 100, 190))).full_range


@pytest.mark.parametrize(
    ("name", "wishes", "bit_depth", "full"),
    [
        ("deep.mp4", {"pix_fmt": "yuv420p10le"}, 10, False),
        ("full.mp4", {"pix_fmt": "yuvj420p"}, 8, True),
        ("odd.mkv", {"size": (161, 121), "codec": "ffv1"}, 8, False),
        ("jpeg.avi", {"codec": "mjpeg", "pix_fmt": "yuvj422p"}, 8, True),
    ],
)
def test_decoded_clips(
    clip: Callable[..., Path], frame_shown, name: str, wishes: dict, bit_depth: int, full: bool
) -> None:
    with open_source(str(clip(name, frames=5, **wishes))) as source:
        frames = list(source)
    assert len(frames) == 5 and all(frame.full_range is full and frame.bit_depth == bit_depth for frame in frames)
    if bit_depth == 8 and not full:
        assert [frame_shown(frame) for frame in frames] == list(range(5))
    assert source.reformatted == (5 if "422" in str(wishes) else 0)


def corners(size: tuple[int, int]) -> av.VideoFrame:
    """A picture whose luma rises by one a pixel to the right and by a half a row: every turn of it differs."""
    picture = av.VideoFrame(*size, "yuv420p")
    for plane in picture.planes:
        rows, columns = np.mgrid[0 : plane.height, 0 : plane.line_size]
        np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:] = columns + rows // 2 + 30
    return picture


@pytest.mark.parametrize("rotation_deg", [0, 90, 180, 270])
def test_rotation(tmp_path: Path, rotation_deg: int) -> None:
    """`rotation_deg` turns counterclockwise, as `numpy.rot90` does."""
    assert_shown(tmp_path, rotation_deg, None, lambda plane: np.rot90(plane, rotation_deg // 90))


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((-1, 0, 0, 1), lambda plane: plane[:, ::-1]),
        ((1, 0, 0, -1), lambda plane: plane[::-1]),
        ((0, 1, 1, 0), lambda plane: plane.T),
        ((0, -1, -1, 0), lambda plane: plane.T[::-1, ::-1]),
        ((0, 1, -1, 0), lambda plane: np.rot90(plane, -1)),
    ],
)
def test_display_matrix_in_the_file(tmp_path: Path, matrix: tuple[int, ...], turned: Callable) -> None:
    """Mirrors, which phones write for selfies, cannot be said in degrees: the track header is patched."""
    assert_shown(tmp_path, None, matrix, turned)


def assert_shown(path: Path, rotation_deg: int | None, matrix: tuple[int, ...] | None, turned: Callable) -> None:
    path = path / "turned.mp4"
    picture = corners((64, 36))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        if rotation_deg is not None:
            stream.set_display_rotation(rotation_deg)
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    if matrix is not None:
        patch_track_header(path, matrix)
    with open_source(str(path)) as source:
        frame = next(source)
    for plane, given in zip(frame.planes, frame_from_av(picture).planes, strict=True):
        assert np.array_equal(plane, turned(given))


def patch_track_header(path: Path, matrix: tuple[int, ...]) -> None:
    """Write a b c d (ISO/IEC 14496-12, 8.3.2) into the only track's header."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # version and flags; times, id, duration; reserved; layer, volume
    words = list(struct.unpack_from(">9i", data, start))
    words[0], words[1], words[3], words[4] = (value * 65536 for value in matrix)
    struct.pack_into(">9i", data, start, *words)
    path.write_bytes(data)


@pytest.mark.parametrize(("inner", "wanted"), [("p010le", "yuv420p10le"), ("nv12", "yuv420p"), ("yuv444p", "yuv420p")])
def test_what_a_hardware_decoder_gives_keeps_its_bits(inner: str, wanted: str) -> None:
    """Its picture's own format is the device's, which has no bits; by a stand-in for one."""
    asked: list[str] = []
    reader = PlaneReader()
    reader._reformatter = SimpleNamespace(reformat=lambda picture, format, threads: asked.append(format))
    reader._convert(SimpleNamespace(format=av.VideoFormat("cuda", 64, 48), sw_format=av.VideoFormat(inner, 64, 48)))
    assert asked == [wanted]


def test_rows_that_stand_bottom_up() -> None:
    """A flip filter gives the same memory with negative strides."""
    picture = corners((64, 36))
    graph = av.filter.Graph()
    source = graph.add_buffer(width=64, height=36, format=av.VideoFormat("yuv420p"), time_base=1)
    flip, sink = graph.add("vflip"), graph.add("buffersink")
    source.link_to(flip)
    flip.link_to(sink)
    graph.configure()
    graph.push(picture)
    flipped = graph.pull()
    assert flipped.planes[0].line_size < 0
    for plane, given in zip(frame_from_av(flipped).planes, frame_from_av(picture).planes, strict=True):
        assert np.array_equal(plane, given[::-1])


def test_image() -> None:
    rgb = np.arange(6 * 5 * 3, dtype=np.uint8).reshape(6, 5, 3)
    for given in (rgb, rgb[::-1], rgb[:, :, ::-1], rgb[::2]):
        frame = frame_from_image(given, 1.5)
        assert np.shares_memory(frame.planes[0], given) and np.array_equal(frame.planes[0], given)
        assert (frame.layout, frame.pts_seconds) == ("rgb24", 1.5)
    assert frame_from_image(rgb).pts is None
    rgb[0, 0, 0] = 9  # the caller's array stays writable


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), "a.png",
     np.zeros((0, 4, 3), np.uint8)],
)  # fmt: skip
def test_not_an_image(image: object) -> None:
    with pytest.raises(SettingsError, match="uint8"):
        frame_from_image(image)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
def test_no_time(solid_picture, seconds: float) -> None:
    with pytest.raises(SettingsError, match="pts_seconds"):
        frame_from_image(np.zeros((4, 4, 3), np.uint8), seconds)
    with pytest.raises(SettingsError, match="pts_seconds"):
        frame_from_av(solid_picture("yuv420p", (4, 4), (1, 2, 3)), seconds)


def test_a_frame_checks_its_planes() -> None:
    frame = frame_from_image(np.zeros((4, 6, 3), np.uint8))
    y, chroma = np.zeros((5, 7), np.uint8), np.zeros((3, 4), np.uint8)
    rest = (None, frame.time_base, 0, 0, 0)
    Frame((y, chroma, chroma), "i420", 8, "bt601", False, *rest)
    wrong = [
        ((y, chroma[:2], chroma), "i420", 8, "bt601"),
        ((y, chroma), "i420", 8, "bt601"),
        ((y, chroma, chroma), "i422", 8, "bt601"),
        ((y, chroma, chroma), "i420", 10, "bt601"),
        ((y, chroma, chroma), "i420", 12, "bt601"),
        ((y, chroma, chroma), "i420", 8, "bt1886"),
    ]
    for planes, layout, bit_depth, matrix in wrong:
        with pytest.raises(SourceError):
            Frame(planes, layout, bit_depth, matrix, False, *rest)
