"""The power and energy counters of a Linux machine, read from sysfs.

Units and meanings are those of the kernel's own documentation: Documentation/power/powercap,
Documentation/hwmon/sysfs-interface and Documentation/ABI/testing/sysfs-class-power.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from mobilebench_agent.contract import PowerSeries

#: What is read within a window as well, and not only at its ends.
MOMENTARY = ("power", "current", "voltage")

_WHOLE = re.compile(r"-?\d{1,19}")
_HIGHEST = 2**63 - 1


@dataclass(frozen=True)
class Counter:
    """One file with a number in it, and what the number means."""

    name: str
    quantity: str
    unit: str
    path: Path
    resolution: float = 1.0
    maximum: Optional[float] = None
    downstream: bool = False

    def read(self) -> int:
        """The number now.

        Raises:
            OSError: the file cannot be read.
            ValueError: it holds no such number.
        """
        text = self.path.read_text("ascii", "replace").strip()
        if self.quantity == "plugged" and self.path.name == "status":
            return _plugged(text)
        if not _WHOLE.fullmatch(text) or abs(int(text)) > _HIGHEST:
            raise ValueError(f"it says {text[:40]!r}")
        value = int(text)
        if value < 0 and self.quantity not in ("current", "power"):
            raise ValueError(f"it says {value}")
        return value


@dataclass
class Recorder:
    """Readings of some counters; one that fails once is out, and ``lost`` says why."""

    counters: Sequence[Counter]
    lost: Dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._one = threading.Lock()
        self._times: Dict[Path, List[int]] = {counter.path: [] for counter in self.counters}
        self._values: Dict[Path, List[int]] = {counter.path: [] for counter in self.counters}

    def read(self, moments_only: bool = False) -> None:
        """Reads all counters, or those of the moment, each with the middle of its reading."""
        with self._one:
            self._read(moments_only)

    def _read(self, moments_only: bool) -> None:
        for counter in self.counters:
            if counter.name in self.lost or (moments_only and counter.quantity not in MOMENTARY):
                continue
            before = time.monotonic_ns()
            try:
                value = counter.read()
            except (OSError, ValueError) as error:
                self.lost[counter.name] = _why(counter, error)
                continue
            self._times[counter.path].append((before + time.monotonic_ns()) // 2)
            self._values[counter.path].append(value)

    def series(self) -> Tuple[PowerSeries, ...]:
        """What was read of the counters that never failed."""
        return tuple(
            PowerSeries(
                counter.name,
                counter.quantity,
                counter.unit,
                str(counter.path),
                counter.resolution,
                counter.maximum,
                counter.downstream,
                tuple(self._times[counter.path]),
                tuple(self._values[counter.path]),
            )
            for counter in self.counters
            if counter.name not in self.lost
        )


def find(tree: Path) -> Tuple[Tuple[Counter, ...], Tuple[str, ...]]:
    """The counters that can be read in a tree, and why others cannot.

    A group of which one counter cannot be read is left out as a whole: the rest would pass for it.
    """
    reasons: List[str] = []
    found: List[Counter] = []
    for finder in (_rapl, _hwmon, _supplies):
        groups: Dict[str, List[Counter]] = {}
        for counter in finder(tree / "sys/class"):
            groups.setdefault(counter.name, []).append(counter)
        for group in groups.values():
            why = _first_failure(group)
            if why:
                reasons.append(why)
            else:
                found += group
    return tuple(found), tuple(reasons)


def sources(counters: Sequence[Counter]) -> Tuple[str, ...]:
    """The names of what energy can be measured with; a plug alone is no such thing."""
    return tuple(dict.fromkeys(c.name for c in counters if c.quantity != "plugged"))


def _first_failure(group: Sequence[Counter]) -> str:
    for counter in group:
        try:
            counter.read()
        except (OSError, ValueError) as error:
            return _why(counter, error)
    return ""


def _why(counter: Counter, error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{counter.name}: {counter.path}: {said}"


def _rapl(base: Path) -> Iterator[Counter]:
    """Running Average Power Limit: the packages and their memory, or the platform if alone.

    Cores and graphics are parts of their package. ``intel-rapl-mmio`` shows the packages again.
    """
    folders = _folders(base / "powercap", r"intel-rapl:\d+(:\d+)?")
    zones = [(folder, _text(folder / "name")) for folder in folders]
    packages = [zone for zone in zones if zone[1].startswith("package")]
    chosen = packages + [zone for zone in zones if zone[1] == "dram"] if packages else []
    for folder, _ in chosen or [zone for zone in zones if zone[1] == "psys"]:
        limit = _text(folder / "max_energy_range_uj")
        yield Counter(
            "RAPL",
            "energy",
            "µJ",
            folder / "energy_uj",
            maximum=float(limit) if _WHOLE.fullmatch(limit) and int(limit) > 0 else None,
            downstream=True,
        )


def _hwmon(base: Path) -> Iterator[Counter]:
    """Sensors of energy or power, and pairs of voltage and current of one channel."""
    for folder in _folders(base / "hwmon", r"hwmon\d+"):
        chip = _text(folder / "name") or folder.name
        names = sorted(path.name for path in _listed(folder))
        taken = set()
        for quantity, unit, pattern in (
            ("energy", "µJ", r"energy(\d+)_input"),
            ("power", "µW", r"power(\d+)_average"),
            ("power", "µW", r"power(\d+)_input"),
            ("current", "mA", r"curr(\d+)_input"),
        ):
            for name in names:
                match = re.fullmatch(pattern, name)
                if match is None or match[1] in taken:
                    continue
                number = match[1]
                label = _text(folder / f"{name.rpartition('_')[0]}_label")
                volts = folder / f"in{number}_input"
                if quantity == "current":
                    other = _text(folder / f"in{number}_label")
                    # Voltage and current of one number belong together, unless named apart.
                    if not volts.exists() or (label and other and label != other):
                        continue
                    label = label or other
                title = f"hwmon {chip} {label or name.rpartition('_')[0]}"
                if quantity == "current":
                    yield Counter(title, "voltage", "mV", volts, downstream=True)
                taken.add(number)
                yield Counter(title, quantity, unit, folder / name, downstream=True)


def _supplies(base: Path) -> Iterator[Counter]:
    """Batteries of the machine, and whether something feeds it; a mouse's battery is not ours."""
    for folder in _folders(base / "power_supply", r".+"):
        kind = _text(folder / "type")
        if kind in ("Mains", "USB", "Wireless", "UPS"):
            if (folder / "online").exists():
                yield Counter(f"plug {folder.name}", "plugged", "1", folder / "online")
        elif kind == "Battery" and _text(folder / "scope") != "Device":
            if _text(folder / "present") == "0":
                continue
            name = f"battery {folder.name}"
            for quantity, unit, file in (
                ("energy_left", "µWh", "energy_now"),
                ("power", "µW", "power_now"),
                ("current", "µA", "current_now"),
                ("voltage", "µV", "voltage_now"),
                ("charge", "µAh", "charge_now"),
                ("plugged", "1", "status"),
            ):
                if (folder / file).exists():
                    yield Counter(name, quantity, unit, folder / file)


def _plugged(status: str) -> int:
    if status == "Discharging":
        return 0
    if status in ("Charging", "Full", "Not charging"):
        return 1
    raise ValueError(f"it says {status[:40]!r}")


def _folders(base: Path, pattern: str) -> Iterator[Path]:
    for path in sorted(_listed(base), key=lambda path: path.name):
        if re.fullmatch(pattern, path.name):
            yield path


def _listed(folder: Path) -> List[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
