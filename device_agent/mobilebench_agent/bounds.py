"""The bounds of what a message may hold, whatever its field is.

Nothing beyond them can be meant, and each has ended a host: numbers that no file format takes, half
characters that cannot be printed, texts and tables without an end.
"""

from __future__ import annotations

import math
from typing import Any, List, Optional

#: Whole numbers have 64 bits, texts so many characters, tables and lists of objects so many
#: entries, and lie so deep in one another.
_LEAST, _LARGEST = -(2**63), 2**63 - 1
_LONGEST_TEXT = 100_000
MOST_ENTRIES = 10_000
_DEEPEST = 8


def fault(value: Any, depth: int = 0) -> str:
    """What is beyond the bounds in a value; goes on after its name, and is empty if nothing is."""
    if isinstance(value, str):
        return _text_fault(value)
    if isinstance(value, (int, float)):
        return _number_fault(value)
    if isinstance(value, list) and depth == 0 and value and not isinstance(value[0], (str, dict)):
        return _numbers_fault(value)
    if isinstance(value, (list, dict)):
        return _nested_fault(value, depth)
    return ""


def is_finite(value: float) -> bool:
    """Whether it is a number that can be computed with."""
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _text_fault(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        return f"is longer than {_LONGEST_TEXT} characters"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "has half a character"
    return ""


def _number_fault(value: float) -> str:
    if isinstance(value, int):
        return "" if _LEAST <= value <= _LARGEST else "is a number of more than 64 bits"
    return "" if math.isfinite(value) else "is not finite"


def _numbers_fault(values: List[Any]) -> str:
    """Of a list of numbers: two passes in C, since a result may have millions of them."""
    worst: Optional[float] = next((v for v in (max(values), min(values)) if _number_fault(v)), None)
    return "" if worst is None else f"has a value that {_number_fault(worst)}"


def _nested_fault(value: Any, depth: int) -> str:
    if depth >= _DEEPEST:
        return "is nested too deeply"
    if len(value) > MOST_ENTRIES:
        return f"has more than {MOST_ENTRIES} entries"
    parts: List[Any] = list(value)
    if isinstance(value, dict):
        parts += value.values()
    return next((found for found in (fault(part, depth + 1) for part in parts) if found), "")
