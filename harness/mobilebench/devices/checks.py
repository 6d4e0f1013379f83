"""The names of what is looked at before and after a trial."""

from __future__ import annotations

from typing import Literal

#: What a device must be, and may be allowed not to be; every result then says so.
DeviceCheck = Literal[
    "battery",
    "battery-faked",
    "battery-temperature",
    "cpu-quota",
    "debuggable",
    "emulator",
    "frequency",
    "lock",
    "plug",
    "power-save",
    "screen",
    "thermal",
]
