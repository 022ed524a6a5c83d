"""The number of a frame as black and white cells in its own pixels, to be read again after any codec.

Given the luma of a picture it draws or reads the strip in its top left corner: four cells that show black and white,
twenty with the number, eight with its checksum. What cannot be read for sure is None: a wrong number would put a frame
at another time. It does not know what the numbers stand for.
"""

from __future__ import annotations

import numpy as np

from tracker.errors import SettingsError

NUMBER_BITS, CHECK_BITS = 20, 8
MARK = (1, 0, 1, 0)
"""White, black, white, black: they show how bright the cells came through, and that there is a strip at all."""
CELLS = len(MARK) + NUMBER_BITS + CHECK_BITS
NUMBERS = 1 << NUMBER_BITS
WHITE, BLACK = 235, 16
ROWS_A_CELL = 45
SMALLEST_CELL_PX = 4
LEAST_CONTRAST = 48
"""Grey levels between the marks below which there is no strip."""
DOUBTFUL = 0.2
"""A cell this close to the middle between black and white, as a share of their distance, is not to be trusted."""
_POLYNOMIAL, _START = 0x07, 0xFF


def cell_px(height_px: int) -> int:
    """Side of a cell in a picture so high: even, so that chroma has the same edges."""
    return max(SMALLEST_CELL_PX, height_px // ROWS_A_CELL // 2 * 2)


def checksum(number: int) -> int:
    """CRC-8 of the number's bits, the polynomial x^8 + x^2 + x + 1: it notices any one or two wrong cells, and any
    run of up to eight. It does not start from 0, so that a strip all black has a wrong one."""
    rest = _START
    for place in reversed(range(NUMBER_BITS)):
        carry = (rest >> 7) ^ (number >> place & 1)
        rest = (rest << 1 & 0xFF) ^ (_POLYNOMIAL if carry else 0)
    return rest


def draw(luma: np.ndarray, number: int) -> None:
    """Write `number` into `luma` [H, W], uint8, limited range. Raises SettingsError where it does not fit."""
    side = cell_px(luma.shape[0])
    if luma.shape[1] < CELLS * side or not 0 <= number < NUMBERS:
        raise SettingsError(
            f"number {number} into {luma.shape[1]} columns; give 0 to {NUMBERS - 1} and {CELLS * side} columns or more"
        )
    code = number << CHECK_BITS | checksum(number)
    bits = (*MARK, *(code >> place & 1 for place in reversed(range(NUMBER_BITS + CHECK_BITS))))
    cells = np.where(np.array(bits, bool), WHITE, BLACK).astype(np.uint8)
    luma[:side, : CELLS * side] = np.repeat(cells, side)


def read(luma: np.ndarray) -> int | None:
    """The number in `luma` [H, W], uint8; None where there is none, or none that is sure. Takes some 30 us."""
    side = cell_px(luma.shape[0])
    if luma.shape[1] < CELLS * side:
        return None
    edge = side // 4  # a codec blurs the rim of a cell
    inner = luma[edge : side - edge, : CELLS * side].reshape(-1, CELLS, side)[:, :, edge : side - edge]
    grey = inner.mean((0, 2))
    marks = grey[: len(MARK)]
    white, black = min(marks[0], marks[2]), max(marks[1], marks[3])
    if white - black < LEAST_CONTRAST:
        return None
    share = (grey - black) / (white - black)
    if np.abs(share - 0.5).min() < DOUBTFUL:
        return None
    code = 0
    for bit in (share[len(MARK) :] > 0.5).tolist():
        code = code << 1 | bit
    number = code >> CHECK_BITS
    return number if code & (1 << CHECK_BITS) - 1 == checksum(number) else None
