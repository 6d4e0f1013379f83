"""What energy an inference takes: windows of load between windows of rest, counters at their ends.

The numbers are raw; what they mean, and whether the counter can measure it at all, is for the host.
"""

from __future__ import annotations

import gc
import random
import threading
import time
from pathlib import Path
from typing import Any, Callable, List, Optional

from mobilebench_agent import power, system_files, tensors
from mobilebench_agent import runtime as runtimes
from mobilebench_agent.contract import Job, Metric, Result, Window

#: Of a window's length, what goes before it in the same state: clocks and gauges follow slowly.
_LEAD_IN = 0.25

_LONGEST_PERIOD_SECONDS = 0.1
_READINGS_A_WINDOW = 20


def measure(
    runtime: runtimes.Runtime,
    job: Job,
    phase: Callable[[str, float], None],
    tree: Optional[Path] = None,
) -> Result:
    """Idle and load windows in pairs, the order within each pair drawn by the job's seed.

    All counters are read at both ends of every window; those of the moment (power, current,
    voltage) also within, by a thread that goes on in idle windows just the same.

    Args:
        runtime: what runs the model.
        job: ``windows`` pairs of ``window_seconds`` each.
        phase: is given the progress, between windows.
        tree: where /sys is; None: see ``mobilebench_agent.system_files.root``.
    """
    counters, reasons = power.find(tree or system_files.root())
    refusal = _refusal(counters, reasons)
    if refusal:
        return Result(
            job.trial,
            job.kind,
            metrics=(Metric.unavailable("energy_per_inference", "J", "power counters", refusal),),
        )
    phase("load", 0)
    interpreter = runtimes.load(runtime, job)
    tensors.fill_with_noise(interpreter, job.seed)
    phase("warmup", 0)
    _load(interpreter.invoke, job.warmup_seconds, job.warmup_runs)
    tensors.check_outputs(interpreter)

    recorder = power.Recorder(counters)
    order = random.Random(job.seed)
    windows: List[Window] = []
    gc.disable()
    for pair in range(job.windows):
        phase("energy", pair / job.windows)
        for load in order.sample((False, True), 2):
            _do(load, interpreter.invoke, _LEAD_IN * job.window_seconds)
            windows.append(_window(load, interpreter.invoke, job.window_seconds, recorder))
    gc.enable()
    delegation, unknown = runtimes.delegated(interpreter)
    lost = [f"a counter failed in mid-trial: {why}" for why in recorder.lost.values()]
    return Result(
        job.trial,
        job.kind,
        delegation=delegation,
        windows=tuple(windows),
        power=recorder.series(),
        warnings=(*([unknown] if unknown else []), *lost, *reasons),
    )


def _window(
    load: bool, invoke: Callable[[], Any], seconds: float, recorder: power.Recorder
) -> Window:
    recorder.read()
    ended = threading.Event()
    reader = threading.Thread(target=_read_on, args=(recorder, seconds, ended), daemon=True)
    start = time.monotonic_ns()
    reader.start()
    count = _do(load, invoke, seconds)
    end = time.monotonic_ns()
    recorder.read()
    ended.set()
    reader.join()
    return Window(load, start, end, count)


def _read_on(recorder: power.Recorder, seconds: float, ended: threading.Event) -> None:
    period = min(_LONGEST_PERIOD_SECONDS, seconds / _READINGS_A_WINDOW)
    while not ended.wait(period):
        recorder.read(moments_only=True)


def _do(load: bool, invoke: Callable[[], Any], seconds: float) -> int:
    if load:
        return _load(invoke, seconds, 1)
    time.sleep(seconds)
    return 0


def _load(invoke: Callable[[], Any], seconds: float, runs: int) -> int:
    """Inferences one upon another, until both limits are met; says how many."""
    end = time.monotonic_ns() + int(seconds * 1e9)
    count = 0
    while count < runs or time.monotonic_ns() < end:
        invoke()
        count += 1
    return count


def _refusal(counters: Any, reasons: Any) -> str:
    """Why no window needs to be run: nothing here could measure it."""
    why = "; ".join(reasons)
    names = power.sources(counters)
    if not names:
        return f"this machine has no power counter that can be read{': ' + why if why else ''}"
    if any(c.downstream and c.quantity != "plugged" for c in counters):
        return ""
    plugs = [c for c in counters if c.quantity == "plugged"]
    try:
        fed = [c.name for c in plugs if c.read()]
    except (OSError, ValueError):
        return ""
    if fed:
        return (
            f"{', '.join(names)} cannot tell while the machine is on external power "
            f"({', '.join(fed)}): pull the plug{'; ' + why if why else ''}"
        )
    return ""
