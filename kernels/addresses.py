"""Arrays from a table of addresses, for compiled code: a call with many arrays hands over one instead.

Given a table of int64, where in it the address stands, and a shape, each returns the array there. Nothing is checked:
whoever makes the table keeps the arrays alive, contiguous and of that shape.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"

from __future__ import annotations

import numpy as np
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from tracker.kernels.compiled import part


@intrinsic
def _pointer(context, address):
    def cast(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), cast


@part
def floats(table, at, shape):
    """float32."""
    return carray(_pointer(table[at]), shape, np.float32)


@part
def doubles(table, at, shape):
    """float64."""
    return carray(_pointer(table[at]), shape, np.float64)


@part
def ints(table, at, shape):
    """int32."""
    return carray(_pointer(table[at]), shape, np.int32)


@part
def octets(table, at, shape):
    """uint8."""
    return carray(_pointer(table[at]), shape, np.uint8)
