"""How long one inference takes: raw nanoseconds, no statistics."""

from __future__ import annotations

import gc
import time
from array import array
from typing import Any, Callable, Sequence, Tuple

from device_agent import runtime as runtimes
from device_agent import tensors
from device_agent.contract import Job, Metric, Result
from device_agent.traces import Traces

_CLOCK = "CLOCK_MONOTONIC by time.perf_counter_ns"

_NEVER = 2**63


def measure(
    runtime: runtimes.Runtime,
    job: Job,
    phase: Callable[[str, float], None],
    moment: Callable[[], Sequence[Metric]] = tuple,
) -> Result:
    """Loads the model, warms up, and times inferences one by one.

    Each loop ends when it has its number of runs *and* its seconds (benchmark_model's rule),
    or at ``max_seconds``. Nothing is read, written or collected while an inference runs; between
    two of them only what ``trace_seconds`` asks for.
    """
    resolution = round(time.get_clock_info("perf_counter").resolution * 1e9)

    def duration(name: str, value: int) -> Metric:
        return Metric(name, "ns", _CLOCK, value, resolution, n=1)

    phase("load", 0)
    start = time.perf_counter_ns()
    interpreter = runtimes.load(runtime, job)
    initialization = time.perf_counter_ns() - start
    tensors.fill_with_noise(interpreter, job.seed)

    phase("warmup", 0)
    start = time.perf_counter_ns()
    interpreter.invoke()
    first = time.perf_counter_ns() - start
    tensors.check_outputs(interpreter)

    gc.disable()
    warmup, _, _ = _repeat(interpreter.invoke, job.warmup_runs, job.warmup_seconds, job.max_seconds)
    phase("measure", 0)
    traces = Traces()

    def pause(passed: int) -> None:
        traces.add(passed, moment())
        if job.seconds:
            phase("measure", min(1.0, passed / 1e9 / job.seconds))

    samples, starts, capped = _repeat(
        interpreter.invoke, job.runs, job.seconds, job.max_seconds, job.trace_seconds, pause
    )
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
        warmup_ns=tuple(warmup),
        starts_ns=tuple(starts) if job.trace_seconds else (),
        traces=traces.all(),
        delegation=delegation,
        warnings=tuple(warnings),
    )


def _repeat(
    invoke: Callable[[], Any],
    runs: int,
    seconds: float,
    max_seconds: float,
    pause_seconds: float = 0.0,
    pause: Callable[[int], None] = lambda _: None,
) -> Tuple["array[int]", "array[int]", bool]:
    """Times ``invoke`` until both limits are met.

    ``pause`` is called every ``pause_seconds`` (0: never) and at both ends, between inferences.

    Returns:
        The durations; when each began, from the start of the loop; whether ``max_seconds`` cut it
        short. All in nanoseconds.
    """
    clock = time.perf_counter_ns
    samples, starts = array("q"), array("q")
    append, append_start = samples.append, starts.append
    begin = clock()
    enough = begin + int(seconds * 1e9)
    limit = begin + int(max(seconds, max_seconds) * 1e9)
    between = int(pause_seconds * 1e9)
    next_pause = begin if between else _NEVER
    while True:
        start = clock()
        over = start >= limit or (len(samples) >= runs and start >= enough)
        if start >= next_pause or (over and between):
            pause(start - begin)
            next_pause = start + between
        if over:
            return samples, starts, len(samples) < runs
        start = clock()
        invoke()
        append(clock() - start)
        append_start(start - begin)
