"""How warm the system is, and whether something slowed it down.

Thermal zones: Documentation/driver-api/thermal/sysfs-api. Throttling of x86:
Documentation/ABI/testing/sysfs-devices-system-cpu. The Raspberry Pi's firmware: get_throttled.
CPU bandwidth control: Documentation/scheduler/sched-bwc, Documentation/admin-guide/cgroup-v2.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple, Union

from mobilebench_agent import system_files
from mobilebench_agent.contract import Metric
from mobilebench_agent.system_files import UnreadableError

_ZONES = Path("sys/class/thermal")
_CPUS = Path("sys/devices/system/cpu")
_FIRMWARE = Path("sys/devices/platform/soc/soc:firmware/get_throttled")

#: What a sensor can say, in thousandths of a degree Celsius; drivers of sleeping ones say −273200.
_COLDEST, _HOTTEST = -55_000, 200_000

#: A count, or why there is none.
Count = Union[int, str]


def temperatures(root: Path) -> List[Metric]:
    """The temperature of each thermal zone in °C."""
    folder = root / _ZONES
    try:
        zones = system_files.numbered(folder, "thermal_zone")
        reason = "this system has no thermal zones"
    except UnreadableError as error:
        zones, reason = [], str(error)
    if not zones:
        return [Metric.unavailable("zone_temperature", "°C", str(folder), reason)]
    return [_temperature(zone) for zone in zones]


def _temperature(zone: Path) -> Metric:
    try:
        note = f" ({system_files.text(zone / 'type')[:40]})"
    except UnreadableError:
        note = ""
    name = f"{zone.name.replace('thermal_', '')}_temperature"
    return system_files.metric(name, "°C", zone / "temp", 0.001, _COLDEST, _HOTTEST, note)


def firmware(root: Path) -> List[Metric]:
    """The bits that a Raspberry Pi's firmware sets; nothing on other systems.

    1 under-voltage, 2 frequency capped, 4 throttled, 8 soft temperature limit; each 65536 times as
    much if it happened since boot.
    """
    path = root / _FIRMWARE
    if not path.exists():
        return []
    name = "firmware_throttled"
    try:
        said = system_files.text(path)
        bits = int(said, 16) if len(said) <= 8 else -1
    except UnreadableError as error:
        return [Metric.unavailable(name, "1", str(path), str(error))]
    except ValueError:
        bits = -1
    if bits < 0:
        return [Metric.unavailable(name, "1", str(path), f"it says {said[:40]!r}")]
    return [Metric(name, "1", str(path), bits, 1, n=1)]


def counts(root: Path) -> Dict[str, Tuple[str, Count]]:
    """Counters of slowdowns: name → source, and its count so far or why there is none."""
    return {**_x86(root), **_bandwidth(root)}


def growth(
    before: Dict[str, Tuple[str, Count]], after: Dict[str, Tuple[str, Count]]
) -> List[Metric]:
    """How much each counter grew from one reading to the next."""
    return [
        system_files.growth(
            name,
            "ns" if name.endswith("_time") else "1",
            source,
            1,
            before.get(name, ("", "it was not there before the trial"))[1],
            count,
        )
        for name, (source, count) in after.items()
    ]


def _x86(root: Path) -> Dict[str, Tuple[str, Count]]:
    """How often the cores of an x86 and their package got too hot; nothing on other systems."""
    try:
        cpus = system_files.numbered(root / _CPUS, "cpu")
    except UnreadableError:
        return {}
    folders = [cpu / "thermal_throttle" for cpu in cpus]
    folders = [folder for folder in folders if folder.is_dir()]
    if not folders:
        return {}
    source = f"{root / _CPUS}/cpu*/thermal_throttle"
    # Every CPU reports its package's count: the highest is that of the one that throttled most.
    return {
        f"thermal_throttle_{what}": (f"{source}/{what}_throttle_count", _over(folders, what))
        for what in ("core", "package")
    }


def _over(folders: List[Path], what: str) -> Count:
    try:
        found = [system_files.whole(folder / f"{what}_throttle_count") for folder in folders]
    except UnreadableError as error:
        return str(error)
    return sum(found) if what == "core" else max(found)


def _bandwidth(root: Path) -> Dict[str, Tuple[str, Count]]:
    """How often and how long a CPU quota stopped this process's cgroups, its own and those above.

    Nothing where no quota can be set: the root of the hierarchy keeps no such count.
    """
    found = [(path, _throttled(path)) for path in _bandwidth_files(root) if path.is_file()]
    found = [(path, counts) for path, counts in found if counts is not None]
    if not found:
        return {}
    source = ", ".join(str(path) for path, _ in found)
    periods, times = ([counts[side] for _, counts in found if counts] for side in (0, 1))
    return {
        "cgroup_throttled_periods": (f"{source} nr_throttled", _sum(periods)),
        "cgroup_throttled_time": (f"{source} throttled time", _sum(times)),
    }


def _throttled(path: Path) -> Optional[Tuple[Count, Count]]:
    """How many periods were throttled, and for how many nanoseconds; None: it does not count."""
    try:
        fields = dict(re.findall(r"^(\w+) (.*)$", system_files.text(path), re.MULTILINE))
    except UnreadableError as error:
        return str(error), str(error)
    if "nr_throttled" not in fields:
        return None
    if "throttled_time" in fields:
        time = _number(fields, "throttled_time")
    else:
        time = _number(fields, "throttled_usec")
        time = time * 1000 if isinstance(time, int) else time
    return _number(fields, "nr_throttled"), time


def _bandwidth_files(root: Path) -> Iterator[Path]:
    """The cpu.stat of each cgroup of this process (cgroups(7)), from its own upwards."""
    try:
        lines = system_files.text(root / "proc/self/cgroup").splitlines()
    except UnreadableError:
        return
    mount = root / "sys/fs/cgroup"
    for line in lines:
        parts = line.split(":", 2)
        if len(parts) < 3 or ".." in parts[2].split("/"):
            continue
        controllers, group = parts[1], parts[2].strip("/")
        if controllers and "cpu" not in controllers.split(","):
            continue
        hierarchy = mount / controllers if controllers else mount
        while True:
            yield hierarchy / group / "cpu.stat" if group else hierarchy / "cpu.stat"
            if not group:
                break
            group = group.rpartition("/")[0]


def _number(fields: Dict[str, str], name: str) -> Count:
    try:
        return system_files.number(fields.get(name, ""))
    except UnreadableError as error:
        return f"{name}: {error}"


def _sum(found: List[Count]) -> Count:
    total = 0
    for count in found:
        if not isinstance(count, int):
            return count
        total += count
    return total
