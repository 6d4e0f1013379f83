"""The names of what is looked at before a phone is measured."""

from __future__ import annotations

from typing import Literal

#: What is looked at before a phone is measured, and may be allowed to fail.
PhoneCheck = Literal[
    "battery",
    "battery-faked",
    "battery-temperature",
    "debuggable",
    "emulator",
    "lock",
    "power-save",
    "screen",
    "thermal",
]
