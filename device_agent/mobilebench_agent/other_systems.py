"""What systems without /proc report of a process and the CPUs: macOS and Windows, through psutil.

Nobody asks this of a Linux device, which has no psutil and needs none.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Dict, Tuple

from mobilebench_agent.system_files import UnreadableError

#: In which CPU time is counted here, a second.
TICKS = 100


def is_meant(root: Path) -> bool:
    """Whether this system has no /proc, and no recorded tree takes its place."""
    return root == Path("/") and not sys.platform.startswith(("linux", "android"))


def memory() -> Dict[str, int]:
    """Bytes of this process under the kernel's names: VmRSS, and VmHWM where it is reported.

    Raises:
        UnreadableError: psutil is missing, or is refused.
    """
    psutil = _psutil()
    try:
        now = psutil.Process().memory_info()
    except psutil.Error as error:
        raise UnreadableError(f"psutil: {error}") from error
    found = {"VmRSS": int(now.rss)}
    peak = getattr(now, "peak_wset", None)  # Windows
    if peak is None and sys.platform == "darwin":
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    if peak is not None:
        found["VmHWM"] = int(peak)
    return found


def cpu_ticks() -> Tuple[Dict[str, int], int, int]:
    """Ticks of all CPUs by /proc/stat's names, ticks of this process, and how many CPUs there are.

    Time of interrupts, which Windows counts apart, is within ``system``.

    Raises:
        UnreadableError: psutil is missing, or is refused.
    """
    psutil = _psutil()
    try:
        times, own = psutil.cpu_times(), psutil.Process().cpu_times()
        count = psutil.cpu_count() or 1
    except (psutil.Error, OSError) as error:
        raise UnreadableError(f"psutil: {error}") from error
    names = ("user", "nice", "system", "idle")
    ticks = {name: _ticks(getattr(times, name, 0.0)) for name in names}
    return ticks, _ticks(own.user + own.system), count


def _ticks(seconds: float) -> int:
    return round(seconds * TICKS)


def _psutil() -> Any:
    try:
        return importlib.import_module("psutil")
    except ImportError as error:
        raise UnreadableError(
            "this system has no /proc, and psutil is not installed: pip install psutil"
        ) from error
