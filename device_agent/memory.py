"""How much memory a model takes: this process with the model, less this process without."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from device_agent import runtime as runtimes
from device_agent import tensors
from device_agent.contract import Job, Metric, Result

#: Enough for every lazily allocated buffer to be there.
_RUNS = 3

_FIELD = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)

#: Our name, the file and field it comes from (Linux: proc(5), Documentation/filesystems/proc).
_FIELDS = (
    ("memory_pss", "smaps_rollup", "Pss"),
    ("memory_swap_pss", "smaps_rollup", "SwapPss"),
    ("memory_rss", "status", "VmRSS"),
    ("memory_anonymous", "status", "RssAnon"),
    ("memory_file", "status", "RssFile"),
)


def measure(
    runtime: runtimes.Runtime,
    job: Job,
    phase: Callable[[str], None],
    process: Path = Path("/proc/self"),
) -> Result:
    """Reads the process's memory before the model is loaded and after a few inferences.

    A memory-mapped .tflite counts as file memory. What the kernel or an accelerator allocates
    outside the process (dma-buf, NPU) is not seen.
    """
    phase("memory")
    peak_from_here = _reset_peak(process)
    before = _read(process)
    interpreter = runtimes.load(runtime, job)
    tensors.fill_with_noise(interpreter, job.seed)
    for _ in range(max(_RUNS, job.warmup_runs)):
        interpreter.invoke()
    after = _read(process)
    delegation, _ = runtimes.delegated(interpreter)
    metrics = [_growth(name, file, key, before, after) for name, file, key in _FIELDS]
    metrics.append(_peak(before, after, peak_from_here))
    metrics.append(
        _metric("memory_baseline_pss", "smaps_rollup Pss, empty runtime", before.get("Pss"))
    )
    return Result(job.trial, job.kind, metrics=tuple(metrics), delegation=delegation)


def _growth(
    name: str, file: str, key: str, before: Dict[str, int], after: Dict[str, int]
) -> Metric:
    source = f"/proc/self/{file} {key}, less the empty runtime"
    if key not in before or key not in after:
        return _metric(name, source, None, f"this kernel has no {key} in /proc/self/{file}")
    # Pages can be given back between the two readings; less than nothing is still nothing used.
    return _metric(name, source, max(0, after[key] - before[key]))


def _peak(before: Dict[str, int], after: Dict[str, int], from_here: bool) -> Metric:
    source = "/proc/self/status VmHWM, less VmRSS of the empty runtime"
    if not from_here:
        # Start-up may have peaked above anything the model did: the difference bounds it.
        source += " (peak not reset: includes start-up)"
    if "VmHWM" not in after or "VmRSS" not in before:
        return _metric("memory_peak", source, None, "this kernel has no VmHWM")
    return _metric("memory_peak", source, max(0, after["VmHWM"] - before["VmRSS"]))


def _metric(name: str, source: str, value: Optional[int], reason: str = "") -> Metric:
    if value is None:
        return Metric.unavailable(name, "B", source, reason or "not told by this kernel")
    return Metric(name, "B", source, value, os.sysconf("SC_PAGE_SIZE"), n=1)


def _reset_peak(process: Path) -> bool:
    """Sets VmHWM back to the present size (write 5 to clear_refs: proc(5)), where allowed."""
    with contextlib.suppress(OSError):
        (process / "clear_refs").write_text("5")
        return True
    return False


def _read(process: Path) -> Dict[str, int]:
    """The fields of status and smaps_rollup in bytes; a file that cannot be read adds none."""
    fields: Dict[str, int] = {}
    texts: List[Any] = []
    for name in ("status", "smaps_rollup"):
        with contextlib.suppress(OSError):
            texts.append((process / name).read_text("utf-8", "replace"))
    for text in texts:
        fields.update({key: int(value) * 1024 for key, value in _FIELD.findall(text)})
    return fields
