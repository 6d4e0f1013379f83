"""How long one inference takes: raw nanoseconds, no statistics."""

from __future__ import annotations

import gc
import time
from array import array
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence

from mobilebench_agent import runtime as runtimes
from mobilebench_agent import tensors
from mobilebench_agent.contract import Job, Metric, Result
from mobilebench_agent.interruptions import INTERVAL_NS, Interruptions
from mobilebench_agent.traces import Traces

_CLOCK = "CLOCK_MONOTONIC by time.perf_counter_ns"

_NEVER = 2**63

#: A trial keeps no more timed inferences than this: of more, every 2nd, 4th, 8th, … from the first.
MOST_SAMPLES = 1 << 20


def measure(
    runtime: runtimes.Runtime,
    job: Job,
    phase: Callable[[str, float], None],
    moment: Callable[[], Sequence[Metric]] = tuple,
) -> Result:
    """Loads the model, warms up, and times inferences one by one.

    Each loop ends when it has its number of runs *and* its seconds (benchmark_model's rule),
    or at ``max_seconds``. Nothing is read, written or collected while an inference runs; between
    two of them only what ``trace_seconds`` asks for, and whether others interrupted them.
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
    warmup = _repeat(interpreter.invoke, job.warmup_runs, job.warmup_seconds, job.max_seconds)
    phase("measure", 0)
    traces = Traces()
    interruptions = Interruptions(job.threads)

    def pause(passed: int) -> None:
        traces.add(passed, moment())
        if job.seconds:
            phase("measure", min(1.0, passed / 1e9 / job.seconds))

    measured = _repeat(
        interpreter.invoke,
        job.runs,
        job.seconds,
        job.max_seconds,
        job.trace_seconds,
        pause,
        MOST_SAMPLES,
        interruptions,
    )
    gc.enable()
    # A state that grows, or memory that is overwritten, shows only now.
    tensors.check_outputs(interpreter)

    delegation, unknown = runtimes.delegated(interpreter)
    warnings = [unknown] if unknown else []
    if measured.count < job.runs:
        warnings.append(
            f"stopped after {measured.count} runs at the limit of {job.max_seconds:g} s, "
            f"before the {job.runs} runs asked for"
        )
    if measured.stride > 1:
        warnings.append(
            f"of every {measured.stride} inferences one is kept: "
            f"a trial keeps at most {MOST_SAMPLES}"
        )
    return Result(
        job.trial,
        job.kind,
        metrics=(
            duration("initialization_time", initialization),
            duration("first_inference", first),
            Metric("warmup_runs", "1", "count", warmup.count, 1, n=1),
            Metric("warmup_time", "ns", _CLOCK, sum(warmup.samples), resolution, n=warmup.count),
            Metric("timed_runs", "1", "count", measured.count, 1, n=1),
            Metric("sample_stride", "1", "every how many-th run is kept", measured.stride, 1, n=1),
        ),
        samples_ns=tuple(measured.samples),
        warmup_ns=tuple(warmup.samples),
        starts_ns=tuple(measured.starts) if job.trace_seconds else (),
        cpu_ns=tuple(interruptions.cpu_ns),
        switches=tuple(interruptions.switches),
        traces=traces.all(),
        delegation=delegation,
        warnings=tuple(warnings),
    )


@dataclass(frozen=True)
class _Loop:
    """Times of inferences: how long, and when each began, from the start of the loop, in ns.

    Of ``count`` inferences every ``stride``-th is in them, from the first.
    """

    samples: "array[int]"
    starts: "array[int]"
    count: int
    stride: int


def _repeat(
    invoke: Callable[[], Any],
    runs: int,
    seconds: float,
    max_seconds: float,
    pause_seconds: float = 0.0,
    pause: Callable[[int], None] = lambda _: None,
    most: int = _NEVER,
    interruptions: Optional[Interruptions] = None,
) -> _Loop:
    """Times ``invoke`` until both limits are met, or ``max_seconds`` are over.

    ``pause`` is called every ``pause_seconds`` (0: never) and at both ends, between inferences.
    ``interruptions`` gets an entry for each sample. When there would be more than ``most`` samples,
    every second one is dropped, and from then on half as many are kept: which ones does not depend
    on how long they took.
    """
    clock = time.perf_counter_ns
    samples, starts = array("q"), array("q")
    count, stride, next_kept = 0, 1, 0
    begin = clock()
    enough = begin + int(seconds * 1e9)
    limit = begin + int(max(seconds, max_seconds) * 1e9)
    between = int(pause_seconds * 1e9)
    next_pause = begin if between else _NEVER
    next_reading = _NEVER
    if interruptions:
        interruptions.begin()
        next_reading = begin + INTERVAL_NS
    while True:
        start = clock()
        over = start >= limit or (count >= runs and start >= enough)
        if interruptions and (start >= next_reading or over):
            interruptions.end(samples)
            next_reading = start + INTERVAL_NS
        if start >= next_pause or (over and between):
            pause(start - begin)
            next_pause = start + between
            if interruptions:
                interruptions.end(samples)
                interruptions.begin()
        if over:
            return _Loop(samples, starts, count, stride)
        start = clock()
        invoke()
        took = clock() - start
        if count == next_kept:
            if len(samples) == most:
                if interruptions:
                    interruptions.end(samples)
                    interruptions.halve()
                samples, starts, stride = samples[::2], starts[::2], stride * 2
            samples.append(took)
            starts.append(start - begin)
            next_kept += stride
        count += 1
