"""The kernel's small text files, read with suspicion: what they do not hold has a reason."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import List, Optional

from mobilebench_agent.contract import Metric

#: Where the tree of /proc and /sys begins. A recorded tree is another root, and every source then
#: names it.
ROOT_VARIABLE = "MOBILEBENCH_SYSTEM_ROOT"

_MOST_CHARACTERS = 1 << 20
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_HIGHEST = 2**63 - 1
_MOST_CPUS = 4096


class UnreadableError(Exception):
    """A file does not hold what was looked for; the message says why."""


def root() -> Path:
    """Where /proc and /sys are looked for: at ``/``, unless the environment names a tree."""
    return Path(os.environ.get(ROOT_VARIABLE) or "/")


def text(path: Path) -> str:
    """What a file says, without the space around it.

    Raises:
        UnreadableError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MOST_CHARACTERS).strip("\0 \t\r\n")
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error


def whole(path: Path, lowest: int = 0, highest: int = _HIGHEST) -> int:
    """The one whole number that a file holds.

    Raises:
        UnreadableError: it cannot be read, holds no such number, or one that cannot be.
    """
    return number(text(path), lowest, highest)


def number(said: str, lowest: int = 0, highest: int = _HIGHEST) -> int:
    """A whole number from a text.

    Raises:
        UnreadableError: it is none, or one that cannot be.
    """
    if not _WHOLE.fullmatch(said) or not lowest <= int(said) <= highest:
        raise UnreadableError(f"it says {said[:40]!r}")
    return int(said)


def cpu_list(path: Path) -> List[int]:
    """CPUs from a list like ``0-3,6`` (cpuset(7)), or apart by spaces as cpufreq writes them.

    Raises:
        UnreadableError: it cannot be read, or is no list.
    """
    cpus: List[int] = []
    for part in text(path).replace(",", " ").split():
        first, _, last = part.partition("-")
        cpus += range(number(first, 0, _MOST_CPUS), number(last or first, 0, _MOST_CPUS) + 1)
    return cpus


def metric(
    name: str,
    unit: str,
    path: Path,
    step: float,
    lowest: int = 0,
    highest: int = _HIGHEST,
    note: str = "",
) -> Metric:
    """A file's number times ``step`` as a metric, whose resolution ``step`` then is."""
    source = f"{path}{note}"
    try:
        value = whole(path, lowest, highest)
    except UnreadableError as error:
        return Metric.unavailable(name, unit, source, str(error))
    # Divided where the step is a fraction, so that 48.3 °C are not 48.300000000000004.
    shown = value * step if step >= 1 else value / round(1 / step)
    return Metric(name, unit, source, shown, step, n=1)


def growth(name: str, unit: str, source: str, step: float, before: object, after: object) -> Metric:
    """How much a counter grew in the trial, times ``step``; each side a number or why not."""
    for side in (before, after):
        if not isinstance(side, int):
            return Metric.unavailable(name, unit, source, str(side))
    assert isinstance(before, int)
    assert isinstance(after, int)
    if after < before:
        return Metric.unavailable(name, unit, source, f"it went from {before} back to {after}")
    return Metric(name, unit, source, (after - before) * step, step, n=2)


def numbered(folder: Path, prefix: str) -> List[Path]:
    """The entries of a folder that are the prefix and a number, in that number's order.

    Raises:
        UnreadableError: it cannot be listed.
    """
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    found = [name for name in names if _index(name, prefix) is not None]
    return [folder / name for name in sorted(found, key=lambda name: _index(name, prefix) or 0)]


def _index(name: str, prefix: str) -> Optional[int]:
    rest = name[len(prefix) :]
    return int(rest) if name.startswith(prefix) and re.fullmatch("[0-9]{1,5}", rest) else None
