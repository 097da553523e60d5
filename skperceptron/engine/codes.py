"""Rows of learned tables at codes of categories, and sums of gradients by codes.

Letters here: B codes, for each of K members of a stack, choose rows of a table of their own. A code
is a whole number, stored as a float. A number that is no code of the table, such as -1 or
NaN, has a row of zeros, which learns nothing.
"""

from __future__ import annotations

import numpy as np

from .arrays import Booleans, Floats, Integers


def look_up(table: Floats, codes: Floats, out: Floats) -> None:
    """Write the rows of a table, (K, levels, dim), at codes, (K, B), into ``out``, (K, B, dim)."""
    for of_member, member_codes, rows in zip(table, codes, out, strict=True):
        places, known = _places(member_codes, len(of_member))
        rows[:] = of_member[places]
        if not known.all():
            rows[~known] = 0


def sum_by_code(grad: Floats, codes: Floats, room: Floats, out: Floats) -> None:
    """Write the sum of the rows that have each code, in their order and in double precision.

    Rows are (K, B, dim), codes (K, B), sums (K, levels, dim). Compiled steps need room in float64.
    """
    dim = out.shape[2]
    for of_member, member_codes, sums in zip(grad, codes, out, strict=True):
        places, known = _places(member_codes, len(sums))
        if not known.all():
            of_member, places = of_member[known], places[known]
        # Building a sparse one-hot matrix and multiplying by it takes ten times as long.
        numbers = places[:, np.newaxis] * dim + np.arange(dim)
        found = np.bincount(numbers.ravel(), of_member.ravel(), sums.size)
        sums[:] = found.reshape(sums.shape)


def _places(codes: Floats, levels: int) -> tuple[Integers, Booleans]:
    """Return the row of a table for each code, and whether there is such a row."""
    known = (codes >= 0) & (codes < levels)
    return np.where(known, codes, 0).astype(np.intp, copy=False), known
