"""A small bitmap font: 5 x 7 dots a letter and a row for what hangs below, enough for names, numbers and signs.

Given text it returns a mask of dots. What it has no letter for becomes a hollow box. It paints nothing.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

ROWS, COLUMNS = 8, 5
ADVANCE = COLUMNS + 1

# Rows from the top, each a number of five bits, the leftmost dot first, written in base 32 (0-9, then a-v); an eighth
# row only where a letter hangs below the line.
_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_LETTERS = {
    " ": "0000000", "A": "ehhvhhh", "B": "uhhuhhu", "C": "ehggghe", "D": "uhhhhhu", "E": "vgguggv", "F": "vgguggg",
    "G": "ehgjhhf", "H": "hhhvhhh", "I": "e44444e", "J": "72222ic", "K": "hikokih", "L": "ggggggv", "M": "hrllhhh",
    "N": "hhpljhh", "O": "ehhhhhe", "P": "uhhuggg", "Q": "ehhhlid", "R": "uhhukih", "S": "fgge11u", "T": "v444444",
    "U": "hhhhhhe", "V": "hhhhha4", "W": "hhhllla", "X": "hha4ahh", "Y": "hha4444", "Z": "v1248gv", "a": "00e1fhf",
    "b": "ggmphhu", "c": "00ehghe", "d": "11djhhf", "e": "00ehvge", "f": "698s888", "g": "00fhhf1e", "h": "ggmphhh",
    "i": "40c444e", "j": "206222ic", "k": "ggikoki", "l": "c44444e", "m": "00qlllh", "n": "00mphhh", "o": "00ehhhe",
    "p": "00uhhugg", "q": "00fhhf11", "r": "00mpggg", "s": "00fge1u", "t": "88s8896", "u": "00hhhjd", "v": "00hhha4",
    "w": "00hhlla", "x": "00ha4ah", "y": "00hhhf1e", "z": "00v248v", "0": "ehjlphe", "1": "4c4444e", "2": "eh1248v",
    "3": "v2421he", "4": "26aiv22", "5": "vgu11he", "6": "68guhhe", "7": "v124888", "8": "ehhehhe", "9": "ehhf12c",
    ".": "00000cc", ",": "00000c48", ":": "0cc0cc0", "-": "000v000", "+": "044v440", "_": "000000v", "/": "01248g0",
    "%": "op248j3", "#": "aavavaa", "(": "2488842", ")": "8422248", "=": "00v0v00", "?": "eh12404", "!": "4444404",
}  # fmt: skip
_UNKNOWN = "vhhhhhv"


def _dots(letter: str) -> list[list[bool]]:
    rows = [_DIGITS.index(digit) for digit in _LETTERS.get(letter, _UNKNOWN).ljust(ROWS, "0")]
    return [[bool(row >> (COLUMNS - 1 - column) & 1) for column in range(COLUMNS)] for row in rows]


@lru_cache(maxsize=512)
def text_mask(text: str, scale: int = 1) -> np.ndarray:
    """bool [8 * scale, 6 * scale * len(text)]: True where a dot is; read-only, since it is shared."""
    mask = np.zeros((ROWS, ADVANCE * len(text)), bool)
    for index, letter in enumerate(text):
        mask[:, index * ADVANCE : index * ADVANCE + COLUMNS] = _dots(letter)
    grown = mask.repeat(scale, 0).repeat(scale, 1)
    grown.setflags(write=False)
    return grown
