"""How a model of phone reports its battery's current."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self


@dataclass(frozen=True)
class CurrentProfile:
    """How one model of phone reports its battery's current.

    ``unit`` is ``µA`` or ``mA``; ``discharging`` is the sign of the number while the battery
    discharges, ``positive`` or ``negative``.
    """

    unit: Literal["µA", "mA"]
    discharging: Literal["positive", "negative"]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self | None:
        """The profile in a document; None if it holds none."""
        unit, sign = document.get("unit"), document.get("discharging")
        if unit in ("µA", "mA") and sign in ("positive", "negative"):
            return cls(unit, sign)
        return None

    def __str__(self) -> str:
        """In words."""
        return f"{self.unit}, {self.discharging} while discharging"
