"""The clock of each CPU cluster, from the kernel's cpufreq files.

A cluster is what the kernel calls a policy: CPUs that share one clock. It is named by its first
CPU. Units and meanings: Documentation/admin-guide/pm/cpufreq.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from mobilebench_agent import system_files
from mobilebench_agent.contract import Metric
from mobilebench_agent.runtime import AgentError
from mobilebench_agent.system_files import UnreadableError

_CPUS = Path("sys/devices/system/cpu")

#: File and our word for it. A limit below the hardware's own is a cap.
_FILES = (
    ("scaling_cur_freq", "current"),
    ("scaling_max_freq", "limit"),
    ("cpuinfo_max_freq", "hardware_limit"),
)

#: The files count in kHz; 100 GHz is no clock.
_STEP = 1000
_HIGHEST = 10**8


def frequencies(root: Path) -> List[Metric]:
    """Current frequency, its limit and the hardware's own of each cluster, in Hz."""
    return _read(root, _FILES)


def current(root: Path) -> List[Metric]:
    """The current frequency of each cluster, in Hz."""
    return _read(root, _FILES[:1])


def governors(root: Path) -> Dict[str, str]:
    """The governor of each cluster that reports it."""
    found = {}
    for name, folder in _clusters(root):
        try:
            found[name] = system_files.text(folder / "scaling_governor")[:40]
        except UnreadableError:
            continue
    return found


def biggest(root: Path) -> Tuple[int, ...]:
    """The CPUs of the highest capacity, as the kernel's scheduler counts it; else of the clock.

    Raises:
        AgentError: ``cpus_unavailable``: the device reports neither of every CPU.
    """
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        try:
            folders = system_files.numbered(root / _CPUS, "cpu")
            sizes = {int(f.name[3:]): system_files.whole(f / name) for f in folders}
        except UnreadableError:
            continue
        if sizes:
            return tuple(cpu for cpu, size in sizes.items() if size == max(sizes.values()))
    raise AgentError(
        "cpus_unavailable",
        "this device reports neither capacity nor highest clock of its CPUs: name them instead",
    )


def _read(root: Path, files: Sequence[Tuple[str, str]]) -> List[Metric]:
    metrics = [
        system_files.metric(f"{name}_frequency_{what}", "Hz", folder / file, _STEP, 1, _HIGHEST)
        for name, folder in _clusters(root)
        for file, what in files
    ]
    if not metrics:
        source = str(root / _CPUS / "cpufreq")
        metrics = [Metric.unavailable("cpu_frequency", "Hz", source, _why_none(root))]
    return metrics


def _clusters(root: Path) -> List[Tuple[str, Path]]:
    found = []
    for folder in _folders(root):
        try:
            first = min(system_files.cpu_list(folder / "related_cpus"))
        except (UnreadableError, ValueError):
            # As the folder is called: policy4, or cpu4/cpufreq.
            first = int("".join(filter(str.isdigit, f"{folder.parent.name}{folder.name}")))
        found.append((f"cpu{first}", folder))
    # Before policies had folders, each CPU of a cluster had its own.
    return sorted(dict(reversed(found)).items(), key=lambda item: int(item[0][3:]))


def _folders(root: Path) -> List[Path]:
    for folder, prefix, below in ((_CPUS / "cpufreq", "policy", ""), (_CPUS, "cpu", "cpufreq")):
        try:
            found = [path / below for path in system_files.numbered(root / folder, prefix)]
        except UnreadableError:
            continue
        found = [path for path in found if path.is_dir()]
        if found:
            return found
    return []


def _why_none(root: Path) -> str:
    try:
        system_files.numbered(root / _CPUS / "cpufreq", "policy")
    except UnreadableError as error:
        return str(error)
    return "this system has no cpufreq"
