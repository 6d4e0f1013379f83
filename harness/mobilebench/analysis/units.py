"""Numbers as people read them: three significant digits, decimal prefixes, a true minus sign."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mobilebench.text import percent as _percent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mobilebench.metrics import Unit

TIME_UNITS = (("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9))
ENERGY_UNITS = (("nJ", 1e-9), ("µJ", 1e-6), ("mJ", 1e-3), ("J", 1.0))
SIZE_UNITS = (("B", 1.0), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9))

#: The readable multiples of a metric's unit; a share has percent, a count or plain value has none.
MULTIPLES = {
    "ns": TIME_UNITS,
    "B": SIZE_UNITS,
    "J": ENERGY_UNITS,
    "share": (("%", 0.01),),
    "count": (("", 1.0),),
    "dB": (("dB", 1.0),),
    "value": (("", 1.0),),
}
#: A number reads in a unit of which it is at least, and less than, so many.
_READS = (0.01, 10_000)
#: A plain value's significant digits: of what nears 1, as an AUC does, three tell too little.
VALUE_DIGITS = 4
#: From here on tenths of a decibel are more digits than anybody reads.
_WHOLE_DB = 99.95


def significant(value: float, digits: int = 3) -> str:
    """``value`` with so many significant digits, never in scientific notation."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    decimals = decimals_for(value, digits)
    return fixed(round(value, decimals), max(0, decimals))


def fixed(value: float, decimals: int) -> str:
    """``value`` with so many decimals, its thousands separated."""
    return _separated(true_minus(f"{value:,.{decimals}f}"))


def decimals_for(value: float, digits: int = 3) -> int:
    """How many decimals show ``digits`` significant digits of a value other than 0."""
    # Rounding first: 9.996 with three digits is 10.0, not 10.00.
    exponent = int(f"{abs(value):.{digits - 1}e}".partition("e")[2])
    return digits - 1 - exponent


def unit_for(value: float, units: tuple[tuple[str, float], ...]) -> tuple[str, float]:
    """The largest unit of which ``value`` is at least one."""
    fitting = [unit for unit in units if abs(value) >= unit[1] * 0.9995]
    return fitting[-1] if fitting else units[0]


def duration(nanoseconds: float) -> str:
    """A time: ``1.23 ms``."""
    return _with_unit(nanoseconds, TIME_UNITS)


def long_duration(nanoseconds: float) -> str:
    """A time that was chosen or counted: ``4.5 min``; in seconds below two minutes."""
    minutes = nanoseconds / 60e9
    return f"{60 * minutes:.3g} s" if minutes < 2 else f"{minutes:.3g} min"


def energy(joules: float) -> str:
    """An energy: ``1.23 mJ``."""
    return _with_unit(joules, ENERGY_UNITS)


def size(count: float) -> str:
    """A number of bytes: ``1.23 MB``."""
    return _with_unit(count, SIZE_UNITS)


def shown(unit: Unit, value: float, decimals: int = 1) -> str:
    """A metric's value with its unit.

    Args:
        unit: the metric's.
        value: in that unit.
        decimals: of a percentage.
    """
    if unit == "share":
        return percent(value, decimals)
    if unit == "count":
        return grouped(round(value)) if value == round(value) else significant(value)
    if unit == "value":
        return significant(value, VALUE_DIGITS)
    if unit == "dB":
        return decibels(value)
    return _with_unit(value, MULTIPLES[unit])


def decibels(value: float) -> str:
    """A ratio of powers, in three digits at most: ``32.1 dB``, ``129 dB``."""
    return true_minus(f"{value:.{0 if abs(value) >= _WHOLE_DB else 1}f} dB")


def change(unit: Unit, difference: float, decimals: int = 1) -> str:
    """A signed difference of two values of a metric, with its unit: ``−0.3 points``.

    Args:
        unit: the metric's.
        difference: in that unit.
        decimals: of percentage points.
    """
    if unit == "share":
        return f"{points(difference, decimals)} points"
    text = significant(difference) if unit == "value" else shown(unit, difference)
    return f"+{text}" if difference > 0 else text


def times(ratio: float) -> str:
    """A ratio: ``1.83×``."""
    return f"{significant(ratio)}×"


def percent(share: float, decimals: int = 1) -> str:
    """A share: ``97.3 %``."""
    return _percent(share, decimals)


def points(difference: float, decimals: int = 1) -> str:
    """A difference of two shares in percentage points, always signed: ``−0.3``."""
    text = f"{100 * difference:+.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return true_minus(text)


def grouped(number: int) -> str:
    """A count with narrow spaces between its thousands, where no line breaks."""
    return _separated(f"{number:,}")


def decimals_of_share(n: int) -> int:
    """How many decimals of a percentage ``n`` samples can tell apart."""
    return 1 if n <= 1000 else 2


def true_minus(text: str) -> str:
    """The text with a minus sign in place of each hyphen-minus."""
    return text.replace("-", "−")


def reads(values: Iterable[float], factor: float) -> bool:
    """Whether all ``values`` can be read in one unit: none is tiny, none has many digits."""
    low, high = _READS
    return all(low <= abs(value) / factor < high for value in values if value)


def _separated(text: str) -> str:
    return text.replace(",", "\N{NARROW NO-BREAK SPACE}")


def _with_unit(value: float, units: tuple[tuple[str, float], ...]) -> str:
    unit, factor = unit_for(value, units)
    return f"{significant(value / factor)} {unit}"
