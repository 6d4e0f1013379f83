"""Which variants no other beats in everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def front(costs: Sequence[Sequence[float | None]]) -> list[bool]:
    """Marks the rows that no other row dominates.

    A row dominates another if it is nowhere larger and somewhere smaller, so equal rows stand on
    the front together. A row with a missing value is not on it. Intervals play no part: whoever
    shows the front says that it is one of point estimates.

    Args:
        costs: one row a variant, one column a quantity to minimise (negate one to maximise it).
    """
    if not costs:
        return []
    table = np.array([[np.nan if c is None else c for c in row] for row in costs], dtype=float)
    whole = np.isfinite(table).all(axis=1)
    marks = []
    for row, complete in zip(table, whole, strict=True):
        # A comparison with nan is false, so a row with a hole dominates nothing.
        dominated = ((table <= row).all(axis=1) & (table < row).any(axis=1)).any()
        marks.append(bool(complete and not dominated))
    return marks
