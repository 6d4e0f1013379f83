"""Trees of sysfs with power counters, written below a folder.

Names, units and meanings follow the kernel's documentation (power/powercap/powercap.rst,
hwmon/sysfs-interface.rst, ABI/testing/sysfs-class-power); the numbers are made. None of them was
recorded on a machine. :class:`Simulation` makes one of them live.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

#: An Intel laptop's package with its memory; cores are a part of the package.
RAPL = {
    "powercap/intel-rapl:0/name": "package-0",
    "powercap/intel-rapl:0/energy_uj": "262000000000",
    "powercap/intel-rapl:0/max_energy_range_uj": "262143328850",
    "powercap/intel-rapl:0:0/name": "core",
    "powercap/intel-rapl:0:0/energy_uj": "1000",
    "powercap/intel-rapl:0:0/max_energy_range_uj": "262143328850",
    "powercap/intel-rapl:0:1/name": "dram",
    "powercap/intel-rapl:0:1/energy_uj": "5000",
    "powercap/intel-rapl:0:1/max_energy_range_uj": "65712999613",
    "powercap/intel-rapl-mmio:0/name": "package-0",
    "powercap/intel-rapl-mmio:0/energy_uj": "262000000000",
}

#: A board with a three-channel INA3221: volts and amperes of one number belong together.
HWMON = {
    "hwmon/hwmon0/name": "ina3221",
    "hwmon/hwmon0/in1_label": "VDD_IN",
    "hwmon/hwmon0/in1_input": "5064",
    "hwmon/hwmon0/curr1_input": "848",
    "hwmon/hwmon0/in2_label": "VDD_CPU",
    "hwmon/hwmon0/in2_input": "5056",
    "hwmon/hwmon0/curr2_input": "104",
    "hwmon/hwmon1/name": "cpu_thermal",
    "hwmon/hwmon1/temp1_input": "41000",
    "hwmon/hwmon2/name": "amd_energy",
    "hwmon/hwmon2/energy1_label": "Esocket0",
    "hwmon/hwmon2/energy1_input": "123456789",
    "hwmon/hwmon3/name": "ina226",
    "hwmon/hwmon3/power1_input": "4300000",
    "hwmon/hwmon3/in1_input": "5000",
    "hwmon/hwmon3/curr1_input": "860",
}

#: A laptop on its battery; the second battery is a mouse's.
BATTERY = {
    "power_supply/AC/type": "Mains",
    "power_supply/AC/online": "0",
    "power_supply/BAT0/type": "Battery",
    "power_supply/BAT0/present": "1",
    "power_supply/BAT0/status": "Discharging",
    "power_supply/BAT0/current_now": "1250000",
    "power_supply/BAT0/voltage_now": "11400000",
    "power_supply/BAT0/charge_now": "3120000",
    "power_supply/hidpp_battery_0/type": "Battery",
    "power_supply/hidpp_battery_0/scope": "Device",
    "power_supply/hidpp_battery_0/status": "Discharging",
    "power_supply/hidpp_battery_0/voltage_now": "3900000",
}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Writes the files below ``sys/class`` of a folder and returns the folder."""
    for name, text in files.items():
        path = folder / "sys/class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return folder


class Simulation:
    """A tree that a thread keeps alive: a simulation, in which power follows a process's work.

    Args:
        update: called some hundred times a second with the seconds passed and the processor
            seconds that the watched processes used since the last call.
        of: tells a watched process by its command line.
    """

    def __init__(self, update: Callable[[float, float], None], of: str) -> None:
        self._update = update
        self._of = of.encode()
        self._used: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(0.004):
            now = time.monotonic()
            self._update(now - last, self._work())
            last = now

    def _work(self) -> float:
        """Processor seconds of all watched processes since the last call."""
        new = 0.0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if folder.name not in self._used:
                    if self._of not in (folder / "cmdline").read_bytes():
                        continue
                    self._used[folder.name] = _processor_seconds(folder)
                used = _processor_seconds(folder)
            except (OSError, ValueError, IndexError):
                continue
            # A thread that ended takes its seconds with it; no counter goes back for that.
            new += max(0.0, used - self._used[folder.name])
            self._used[folder.name] = used
        return new


def _processor_seconds(process: Path) -> float:
    """From schedstat, which counts nanoseconds, of all its threads."""
    total = 0
    for thread in (process / "task").iterdir():
        total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def put(path: Path, text: str) -> None:
    """Replaces a file whole, so that no reader sees half of it."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(f"{text}\n")
    os.replace(fresh, path)
