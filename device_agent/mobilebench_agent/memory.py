"""How much memory a model takes: this process with the model, less this process without."""

from __future__ import annotations

import contextlib
import mmap
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Optional

from mobilebench_agent import other_systems, system_files, tensors
from mobilebench_agent import runtime as runtimes
from mobilebench_agent.contract import Job, Metric, Result
from mobilebench_agent.system_files import UnreadableError

#: Enough for every lazily allocated buffer to be there.
_RUNS = 3

_SELF = Path("/proc/self")

_FIELD = re.compile(r"^(\w+):\s+([0-9]{1,15}) kB$", re.MULTILINE)

#: Our name, the file and field it comes from (Linux: proc(5), Documentation/filesystems/proc).
_FIELDS = (
    ("memory_pss", "smaps_rollup", "Pss"),
    ("memory_swap_pss", "smaps_rollup", "SwapPss"),
    ("memory_rss", "status", "VmRSS"),
    ("memory_anonymous", "status", "RssAnon"),
    ("memory_file", "status", "RssFile"),
)


@dataclass
class Fields:
    """The fields of a process's memory files, in bytes; and why a file has none."""

    bytes: Dict[str, int] = field(default_factory=dict)
    reasons: Dict[str, str] = field(default_factory=dict)

    def why_not(self, file: str, key: str) -> str:
        """Why a field is not there."""
        if file in self.reasons:
            return self.reasons[file]
        if other_systems.is_meant(system_files.root()):
            return "this system does not count it"
        return f"/proc/self/{file} has no {key} in kB"


def measure(
    runtime: runtimes.Runtime,
    job: Job,
    phase: Callable[[str], None],
    process: Path = _SELF,
) -> Result:
    """Reads the process's memory before the model is loaded and after a few inferences.

    A memory-mapped .tflite counts as file memory. What the kernel or an accelerator allocates
    outside the process (dma-buf, NPU) is not seen.
    """
    phase("memory")
    peak_from_here = _reset_peak(process)
    before = read(process)
    interpreter = runtimes.load(runtime, job)
    tensors.fill_with_noise(interpreter, job.seed)
    for _ in range(max(_RUNS, job.warmup_runs)):
        interpreter.invoke()
    after = read(process)
    delegation, _ = runtimes.delegated(interpreter)
    metrics = [_growth(name, file, key, before, after) for name, file, key in _FIELDS]
    metrics.append(_peak(before, after, peak_from_here))
    source = "smaps_rollup Pss, empty runtime"
    reason = before.why_not("smaps_rollup", "Pss")
    metrics.append(_metric("memory_baseline_pss", source, before.bytes.get("Pss"), reason))
    return Result(job.trial, job.kind, metrics=tuple(metrics), delegation=delegation)


def _growth(name: str, file: str, key: str, before: Fields, after: Fields) -> Metric:
    source = f"{_source(file, key)}, less the empty runtime"
    for side in (before, after):
        if key not in side.bytes:
            return _metric(name, source, None, side.why_not(file, key))
    # Pages can be given back between the two readings; less than nothing is still nothing used.
    return _metric(name, source, max(0, after.bytes[key] - before.bytes[key]))


def _source(file: str, key: str) -> str:
    if other_systems.is_meant(system_files.root()):
        return f"the system's {key}, as psutil reports it"
    return f"/proc/self/{file} {key}"


def _peak(before: Fields, after: Fields, from_here: bool) -> Metric:
    source = f"{_source('status', 'VmHWM')}, less VmRSS of the empty runtime"
    if not from_here:
        # Start-up may have peaked above anything the model did: the difference bounds it.
        source += " (peak not reset: includes start-up)"
    for side, key in ((after, "VmHWM"), (before, "VmRSS")):
        if key not in side.bytes:
            return _metric("memory_peak", source, None, side.why_not("status", key))
    return _metric("memory_peak", source, max(0, after.bytes["VmHWM"] - before.bytes["VmRSS"]))


def _metric(name: str, source: str, value: Optional[int], reason: str = "") -> Metric:
    if value is None:
        return Metric.unavailable(name, "B", source, reason)
    return Metric(name, "B", source, value, mmap.PAGESIZE, n=1)


def _reset_peak(process: Path) -> bool:
    """Sets VmHWM back to the present size (write 5 to clear_refs: proc(5)), where allowed."""
    with contextlib.suppress(OSError):
        (process / "clear_refs").write_text("5")
        return True
    return False


def read(process: Path) -> Fields:
    """What status and smaps_rollup say of a process; psutil where there is no /proc."""
    found = Fields()
    if process == _SELF and other_systems.is_meant(system_files.root()):
        found.reasons["smaps_rollup"] = "this system does not count it"
        try:
            found.bytes.update(other_systems.memory())
        except UnreadableError as error:
            found.reasons["status"] = str(error)
        return found
    for name in ("status", "smaps_rollup"):
        try:
            text = system_files.text(process / name)
        except UnreadableError as error:
            found.reasons[name] = str(error)
            continue
        for key, kilobytes in _FIELD.findall(text):
            found.bytes[key] = int(kilobytes) * 1024
    return found
