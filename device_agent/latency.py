"""How long one inference takes: raw nanoseconds, no statistics."""

from __future__ import annotations

import gc
import time
from array import array
from typing import Any, Callable, Tuple

from device_agent import runtime as runtimes
from device_agent import tensors
from device_agent.contract import Job, Metric, Result

_CLOCK = "CLOCK_MONOTONIC by time.perf_counter_ns"


def measure(runtime: runtimes.Runtime, job: Job, phase: Callable[[str], None]) -> Result:
    """Loads the model, warms up, and times inferences one by one.

    Each loop ends when it has its number of runs *and* its seconds (benchmark_model's rule),
    or at ``max_seconds``. Nothing is read, written or collected inside the timed loop.
    """
    resolution = round(time.get_clock_info("perf_counter").resolution * 1e9)

    def duration(name: str, value: int) -> Metric:
        return Metric(name, "ns", _CLOCK, value, resolution, n=1)

    phase("load")
    start = time.perf_counter_ns()
    interpreter = runtimes.load(runtime, job)
    initialization = time.perf_counter_ns() - start
    tensors.fill_with_noise(interpreter, job.seed)

    phase("warmup")
    start = time.perf_counter_ns()
    interpreter.invoke()
    first = time.perf_counter_ns() - start
    tensors.check_outputs(interpreter)

    gc.disable()
    warmup, _ = _repeat(interpreter.invoke, job.warmup_runs, job.warmup_seconds, job.max_seconds)
    phase("measure")
    samples, capped = _repeat(interpreter.invoke, job.runs, job.seconds, job.max_seconds)
    gc.enable()

    delegation, unknown = runtimes.delegated(interpreter)
    warnings = [unknown] if unknown else []
    if capped:
        warnings.append(
            f"stopped after {len(samples)} runs at the limit of {job.max_seconds:g} s, "
            f"before the {job.runs} runs asked for"
        )
    return Result(
        job.trial,
        job.kind,
        metrics=(
            duration("initialization_time", initialization),
            duration("first_inference", first),
            Metric("warmup_runs", "1", "count", len(warmup), 1, n=1),
            Metric("warmup_time", "ns", _CLOCK, sum(warmup), resolution, n=len(warmup)),
        ),
        samples_ns=tuple(samples),
        delegation=delegation,
        warnings=tuple(warnings),
    )


def _repeat(
    invoke: Callable[[], Any], runs: int, seconds: float, max_seconds: float
) -> Tuple["array[int]", bool]:
    """Times ``invoke`` until both limits are met; says whether ``max_seconds`` cut it short."""
    clock = time.perf_counter_ns
    samples = array("q")
    append = samples.append
    begin = clock()
    enough = begin + int(seconds * 1e9)
    limit = begin + int(max(seconds, max_seconds) * 1e9)
    while True:
        start = clock()
        if len(samples) >= runs and start >= enough:
            return samples, False
        if start >= limit:
            return samples, len(samples) < runs
        start = clock()
        invoke()
        append(clock() - start)
