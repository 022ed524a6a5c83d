"""`crop_roi` and `crop_luma` for the CPU, compiled by numba.

Given what the package's contract describes, already checked. Two passes: the blocks that the crop touches are reduced
into a small float patch per channel (whole rows are summed first, which vectorises, then the columns of each block),
and the patches are sampled bilinearly, row by row: where to look, then each channel, then the mix of colours. A
turned picture (rotation metadata) is walked in the order of its memory: planes are transposed and flipped back, and
the map with them. Buffers grow when a bigger region comes, and are kept. All is one file, because numba's cache looks
for changes only in the file of the function it keeps.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import carray, types
from numba.extending import intrinsic

from tracker.kernels.compiled import compiled, part
from tracker.kernels.crop_roi import LARGEST_BLOCK
from tracker.kernels.crop_roi.colour import Colour

# Zeros around a patch, which are what lies outside the picture: one before, two after, so that no tap needs a test.
_MARGIN = 3
_LARGEST = float(LARGEST_BLOCK)
_ROUND = 0.5 + 1e-6
_ZERO, _FULL = np.float32(0.0), np.float32(255.0)


@part
def _axis(a, b, c, size, flipped, step, wide, high):
    """One axis of a plane: its blocks' origin, the first touched by the crop, how many are, and the map from crop
    indices to patch coordinates (per column, per row, at the first pixel).

    `a b c` maps crop to plane as the picture is seen; where memory runs the other way the map is flipped, and block 0
    is the one that is partly filled.
    """
    blocks = (size + step - 1) // step
    origin = np.int64(0)
    if flipped:
        a, b, c, origin = -a, -b, size - c, np.int64(size - blocks * step)
    a, b, c = a / step, b / step, (c - origin) / step - 0.5
    low, top = np.inf, -np.inf
    for x in (0.5, wide - 0.5):
        for y in (0.5, high - 0.5):
            at = a * x + b * y + c
            low, top = min(low, at), max(top, at)
    first = np.int64(np.floor(min(max(low, 0.0), float(blocks))))
    last = np.int64(np.floor(min(max(top, -2.0), blocks - 1.0))) + 1
    count = max(min(last, blocks - 1) - first + 1, 0)
    return origin, first, count, a, b, c + 0.5 * (a + b) - first + 1.0


@part
def _plan(plane, affine, flipped, part, wide, high):
    """Block size and both axes of a plane whose pixels are `1 / part` of the picture's."""
    scale = part * np.sqrt(abs(affine[0, 0] * affine[1, 1] - affine[0, 1] * affine[1, 0]))
    step = np.int64(min(max(np.floor(scale + _ROUND), 1.0), _LARGEST))
    a, b, c = affine[0, 0] * part, affine[0, 1] * part, affine[0, 2] * part
    x = _axis(a, b, c, plane.shape[1], flipped[0], step, wide, high)
    a, b, c = affine[1, 0] * part, affine[1, 1] * part, affine[1, 2] * part
    y = _axis(a, b, c, plane.shape[0], flipped[1], step, wide, high)
    return step, x, y


@intrinsic
def _pointer(typing_context, address, like):
    """An address as a pointer to elements of `like`: numba has no other way to say that a strided view is packed."""
    pointer = types.CPointer(like.dtype)

    def codegen(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(pointer))

    return pointer(address, like), codegen


@part
def _add_rows(plane, top, bottom, left, right, sums):
    """Add columns left to right of some rows into `sums`; the loop over packed samples is the vectorised one."""
    depth = plane.shape[2]
    packed = plane.strides[1] == depth * plane.itemsize and (depth == 1 or plane.strides[2] == plane.itemsize)
    count = (right - left) * depth
    for y in range(top, bottom):
        if packed:
            row = carray(_pointer(plane[y, left:].ctypes.data, plane), (count,))
            for i in range(count):
                sums[i] += row[i]
        else:
            for x in range(right - left):
                for d in range(depth):
                    sums[x * depth + d] += plane[y, left + x, d]


@part
def _channel(sums, depth, d, count):
    """Column sums of one channel side by side; the other half of the buffer takes them when they are interleaved."""
    if depth == 1:
        return sums[:count]
    split = sums[sums.size // 2 :][:count]
    source = sums[d:]
    if depth == 2:
        for i in range(count):
            split[i] = source[2 * i]
    else:
        for i in range(count):
            split[i] = source[3 * i]
    return split


def _adder(step):
    """Sums over a number of columns that the compiler knows: only then it unrolls and vectorises."""

    @part
    def add(sums, offset, scale, line):
        for u in range(line.size):
            total = -offset
            for i in range(step):
                total += np.int32(sums[u * step + i])
            line[u] = np.float32(np.int32(total)) * scale

    return add


_add_1, _add_2, _add_3, _add_4, _add_5, _add_6, _add_7, _add_8 = (_adder(step) for step in range(1, 9))


@part
def _add_columns(sums, step, offset, line):
    """One row of block means: sums over `step` columns, less black, over the block's area."""
    scale = np.float32(1.0 / (step * step))
    if step == 1:
        _add_1(sums, offset, scale, line)
    elif step == 2:
        _add_2(sums, offset, scale, line)
    elif step == 3:
        _add_3(sums, offset, scale, line)
    elif step == 4:
        _add_4(sums, offset, scale, line)
    elif step == 5:
        _add_5(sums, offset, scale, line)
    elif step == 6:
        _add_6(sums, offset, scale, line)
    elif step == 7:
        _add_7(sums, offset, scale, line)
    elif step == 8:
        _add_8(sums, offset, scale, line)
    else:
        for u in range(line.size):
            total = -offset
            for i in range(u * step, u * step + step):
                total += np.int32(sums[i])
            line[u] = np.float32(np.int32(total)) * scale


@part
def _reduce(plane, step, x, y, black, sums, patch):
    """Mean of every block in the window less black, into `patch` [channels, rows + 3, columns + 3], zero-edged.

    Outside the plane everything is black, so the sums start with as much black as there are samples missing.
    """
    height, width, depth = plane.shape
    start = x[0] + x[1] * step
    left, right = max(start, 0), max(min(start + x[2] * step, width), 0)
    inner = sums[(left - start) * depth :]
    offset = np.int32(black * step * step)
    patch[:, 0] = 0
    for v in range(y[2]):
        row = y[0] + (y[1] + v) * step
        top, bottom = max(row, 0), min(row + step, height)
        sums[: x[2] * step * depth] = black * step
        inner[: max(right - left, 0) * depth] = black * (step - (bottom - top))
        _add_rows(plane, top, bottom, left, right, inner)
        for d in range(depth):
            line = patch[d, v + 1]
            line[0] = 0
            _add_columns(_channel(sums, depth, d, x[2] * step), step, offset, line[1 : x[2] + 1])
            line[x[2] + 1 :] = 0
    patch[:, y[2] + 1 :] = 0


@part
def _look(x, y, i, wide, index, right, down):
    """Per column of crop row i: the upper left tap's index in a patch, and how far right and down of it to look."""
    last_u, last_v = np.float32(x[2] + 1), np.float32(y[2] + 1)
    du, dv, u0, v0 = np.float32(x[3]), np.float32(y[3]), np.float32(x[4] * i + x[5]), np.float32(y[4] * i + y[5])
    for j in range(index.size):
        at = np.float32(np.int32(j))
        u, v = du * at + u0, dv * at + v0
        u, v = u if u > _ZERO else _ZERO, v if v > _ZERO else _ZERO
        u, v = u if u < last_u else last_u, v if v < last_v else last_v
        column, row = np.int32(u), np.int32(v)
        right[j], down[j] = u - np.float32(column), v - np.float32(row)
        index[j] = row * np.int32(wide) + column


@part
def _blend(flat, wide, index, right, down, target):
    """Bilinear values of one channel."""
    one, below = np.uintp(1), np.uintp(wide)
    for j in range(index.size):
        at = np.uintp(index[j])
        a, b, c, d = flat[at], flat[at + one], flat[at + below], flat[at + below + one]
        upper = a + right[j] * (b - a)
        target[j] = upper + down[j] * (c + right[j] * (d - c) - upper)


@part
def _mix(mix, a, b, c, target):
    """One colour of a row out of three channels, clipped."""
    p, q, r = mix[0], mix[1], mix[2]
    for j in range(target.size):
        value = p * a[j] + q * b[j] + r * c[j]
        value = value if value > _ZERO else _ZERO
        target[j] = value if value < _FULL else _FULL


@part
def _sample(patch, x, y, i, index, rows, into):
    """Crop row i of every channel of `patch` into rows `into` and on; rows 3 and 4 are working space."""
    wide = patch.shape[2]
    _look(x, y, i, wide, index, rows[3], rows[4])
    for d in range(patch.shape[0]):
        _blend(patch[d].reshape(-1), wide, index, rows[3], rows[4], rows[into + d])


@part
def _patch(patches, start, x, y, depth):
    high, wide = y[2] + _MARGIN, x[2] + _MARGIN
    return patches[start : start + depth * high * wide].reshape((depth, high, wide))


def _signature(sample):
    plane = types.Array(sample, 3, "A", readonly=True)
    return types.int64(
        plane, plane, plane, types.Array(types.float64, 2, "C", readonly=True), types.UniTuple(types.boolean, 2),
        types.UniTuple(types.int64, 2), types.Array(types.float32, 2, "C", readonly=True),
        types.Array(types.uint16, 1, "C"), types.Array(types.int32, 1, "C"), types.Array(types.float32, 2, "C"),
        types.Array(types.float32, 1, "C"), types.Array(types.float32, 3, "C"),
    )  # fmt: skip


@compiled(_signature(types.uint8), _signature(types.uint16))
def _crop(first, second, third, affine, flipped, black, mix, sums, index, rows, patches, out):
    """Crop one picture; returns 0, or how many floats `patches` must hold when it is too small, with nothing done.

    `first` is Y, or all of RGB; `second` is U, or U and V; `third` is V; planes that the layout lacks have no
    channel. `flipped` says along which axis (x, y) memory runs against the picture.
    """
    high, wide, depth = out.shape[1], out.shape[2], first.shape[2]
    step, x, y = _plan(first, affine, flipped, 1.0, wide, high)
    c_step, c_x, c_y = _plan(second, affine, flipped, 0.5, wide, high)
    c_depth = second.shape[2] + third.shape[2]
    patch_size = (x[2] + _MARGIN) * (y[2] + _MARGIN) * depth
    wanted = patch_size + (c_x[2] + _MARGIN) * (c_y[2] + _MARGIN) * c_depth
    if patches.size < wanted:
        return wanted
    patch, c_patch = _patch(patches, 0, x, y, depth), _patch(patches, patch_size, c_x, c_y, c_depth)
    _reduce(first, step, x, y, black[0], sums, patch)
    if c_depth:
        _reduce(second, c_step, c_x, c_y, black[1], sums, c_patch[: second.shape[2]])
    if third.shape[2]:
        _reduce(third, c_step, c_x, c_y, black[1], sums, c_patch[1:])
    rows[:3, :wide] = 0
    for i in range(high):
        _sample(patch, x, y, i, index[:wide], rows, 0)
        if c_depth:
            _sample(c_patch, c_x, c_y, i, index[:wide], rows, 1)
        for m in range(out.shape[0]):
            _mix(mix[m], rows[0], rows[1], rows[2], out[m, i])
    return 0


class Crop:
    """The implementation with its scratch memory."""

    def __init__(self) -> None:
        self._sums = np.empty(0, np.uint16)
        self._index = np.empty(0, np.int32)
        self._rows = np.empty((5, 0), np.float32)
        self._patches = np.empty(0, np.float32)

    def __call__(self, planes: Sequence[np.ndarray], colour: Colour, px_from_crop: np.ndarray, out: np.ndarray) -> None:
        """Fill `out`; grows the scratch when the region is bigger than any before."""
        first = planes[0]
        high, wide, _ = first.shape
        self._make_room(high if high > wide else wide, out.shape[2])
        down, right, _ = first.strides
        flipped = _UPRIGHT
        if not 0 < right <= down:
            planes, px_from_crop, flipped = _as_in_memory(planes, px_from_crop)
        elif not px_from_crop.flags.c_contiguous:
            px_from_crop = px_from_crop.copy()
        three = planes if len(planes) == 3 else (*planes, *_NO_PLANES[first.itemsize][len(planes) - 1 :])
        given = (*three, px_from_crop, flipped, colour.black, colour.mix, self._sums, self._index, self._rows)
        wanted = _crop(*given, self._patches, out)
        if wanted:
            self._patches = np.empty(wanted + wanted // 4, np.float32)
            _crop(*given, self._patches, out)

    def _make_room(self, side_px: int, crop_px: int) -> None:
        if self._sums.size < 6 * (side_px + LARGEST_BLOCK):
            self._sums = np.empty(6 * (side_px + LARGEST_BLOCK), np.uint16)
        if self._index.size < crop_px:
            self._index, self._rows = np.empty(crop_px, np.int32), np.empty((5, crop_px), np.float32)


def _as_in_memory(
    planes: Sequence[np.ndarray], px_from_crop: np.ndarray
) -> tuple[Sequence[np.ndarray], np.ndarray, tuple[bool, bool]]:
    """A turned picture's planes in the order of their memory, the map for them, and which axes run against it."""
    affine = np.array(px_from_crop)
    down, right, _ = planes[0].strides
    if abs(down) < abs(right):
        planes, affine, down, right = [p.swapaxes(0, 1) for p in planes], affine[::-1].copy(), right, down
    if down < 0 or right < 0:
        planes = [p[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1] for p in planes]
    return planes, affine, (right < 0, down < 0)


_UPRIGHT = (False, False)
_NO_PLANES = {np.dtype(sample).itemsize: [np.empty((0, 0, 0), sample)] * 2 for sample in (np.uint8, np.uint16)}
