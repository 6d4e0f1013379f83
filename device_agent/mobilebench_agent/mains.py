"""Whether something feeds a Linux machine (Documentation/ABI/testing/sysfs-class-power)."""

from __future__ import annotations

from pathlib import Path
from typing import List

from mobilebench_agent import system_files
from mobilebench_agent.contract import Metric
from mobilebench_agent.system_files import UnreadableError

_SUPPLIES = Path("sys/class/power_supply")
_CHARGERS = ("Mains", "USB", "Wireless", "UPS")
_MOST = 9


def plugged(root: Path) -> List[Metric]:
    """How many chargers feed the machine now; nothing on one that has no such supply."""
    folder = root / _SUPPLIES
    name, source = "battery_plugged", f"{folder}/*/online"
    try:
        files = [path / "online" for path in sorted(folder.iterdir()) if _charges(path)]
    except FileNotFoundError:
        return []
    except OSError as error:
        return [Metric.unavailable(name, "1", source, error.strerror or str(error))]
    if not files:
        return []
    try:
        # 2 is a charger that settled on its own voltage: fed all the same.
        online = sum(system_files.whole(file, 0, _MOST) > 0 for file in files)
    except UnreadableError as error:
        return [Metric.unavailable(name, "1", source, str(error))]
    return [Metric(name, "1", source, online, 1, n=1)]


def _charges(supply: Path) -> bool:
    try:
        return system_files.text(supply / "type") in _CHARGERS
    except UnreadableError:
        return False
