"""TensorFlow's own ``benchmark_model`` on a device, to check our numbers against.

It reports a mean, a spread and, in newer builds, a median, and keeps no single sample. So its
results stand apart: they are never mixed with a trial's, nor compared by a test that needs samples.
A native program in a shell runs in another environment than an app: they can differ by a factor of
two (TensorFlow issues 53179 and 63111).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.devices.adb import AdbDevice
from harness.devices.base import TrialError
from harness.devices.remote_store import RemoteStore, sha256_of

EXECUTOR = "benchmark_model"

_NUMBER = r"(\d+(?:\.\d+)?(?:e\+?\d{1,2})?)"
_COUNT = re.compile(
    rf"^(?:[A-Z]+: |[A-Z] tflite\s*: )?count=(\d+) first={_NUMBER} curr={_NUMBER} min={_NUMBER} "
    rf"max={_NUMBER} avg={_NUMBER} std={_NUMBER}"
    rf"(?: p5={_NUMBER} median={_NUMBER} p95={_NUMBER})?$",
    re.MULTILINE,
)
_ONLY_ONE = re.compile(rf"^(?:[A-Z]+: |[A-Z] tflite\s*: )?count=1 curr={_NUMBER}", re.MULTILINE)
_SUMMARY = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, "
    rf"Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}$",
    re.MULTILINE,
)
_DELEGATED = re.compile(
    r"Replacing (\d{1,6}) out of (\d{1,6}) node\(s\) with delegate \(([^)]{1,80})\) node, "
    r"yielding (\d{1,6}) partitions"
)

#: Both lines are rounded to six digits.
_ROUNDING = 0.001


@dataclass(frozen=True)
class UpstreamTimings:
    """What ``benchmark_model`` said; times in nanoseconds. None: this build does not tell.

    Attributes:
        count: timed inferences.
        mean, sd, minimum, maximum, median, p05, p95: of the timed inferences.
        initialization, first_inference, warmup_mean: before them.
        delegated: how many of all ``nodes`` a delegate took, in how many ``partitions``.
    """

    count: int
    mean: float
    sd: float
    minimum: float
    maximum: float
    median: float | None
    p05: float | None
    p95: float | None
    initialization: float
    first_inference: float
    warmup_mean: float
    delegated: int | None = None
    nodes: int | None = None
    partitions: int | None = None


@dataclass(frozen=True)
class UpstreamJob:
    """How it is run; the names and defaults of :class:`device_agent.contract.Job`."""

    threads: int = 1
    xnnpack: bool = True
    warmup_runs: int = 1
    warmup_seconds: float = 0.5
    runs: int = 50
    seconds: float = 1.0
    max_seconds: float = 150.0


def measure(
    device: AdbDevice,
    binary: Path,
    model: Path,
    job: UpstreamJob,
    timeout_seconds: float = 300.0,
) -> UpstreamTimings:
    """Pushes the program and the model, and runs it once.

    Args:
        device: the phone or board.
        binary: ``benchmark_model``, built for the device.
        model: a ``.tflite``.
        job: how to run it.
        timeout_seconds: of the run.

    Raises:
        TrialError: it cannot run here, or what it said is not what it says when all is well.
        LinkLostError, DeadlineError: the device is gone, or too slow.
    """
    store = RemoteStore(device)
    program = store.put(binary, sha256_of(binary), executable=True)
    graph = store.put(model, sha256_of(model))
    done = device.shell(
        program,
        f"--graph={graph}",
        f"--num_threads={job.threads}",
        f"--use_xnnpack={str(job.xnnpack).lower()}",
        f"--warmup_runs={job.warmup_runs}",
        f"--warmup_min_secs={job.warmup_seconds:g}",
        f"--num_runs={job.runs}",
        f"--min_secs={job.seconds:g}",
        f"--max_secs={job.max_seconds:g}",
        seconds=timeout_seconds,
    )
    if done.code:
        raise TrialError(
            "internal", f"benchmark_model ended with exit code {done.code}: {done.said}"
        )
    return parse_output(f"{done.output}\n{done.errors}")


def parse_output(text: str) -> UpstreamTimings:
    """Reads its output: older builds without percentiles, and any of its log prefixes.

    Raises:
        TrialError: ``protocol_violation``; a line is missing, twice there, or contradicts another.
    """
    text = "\n".join(line.strip() for line in text.splitlines())
    summaries = _SUMMARY.findall(text)
    if len(summaries) != 1:
        raise TrialError(
            "protocol_violation", f"benchmark_model printed {len(summaries)} summaries, not one"
        )
    init, first, warmup, mean = (float(word) * 1000 for word in summaries[0])
    counts = _COUNT.findall(text)
    if counts:
        # The warm-up prints such a line, too; the measuring comes last.
        words = counts[-1]
        count = int(words[0])
        _, _, least, most, average, sd = (float(word) * 1000 for word in words[1:7])
        p05, median, p95 = (float(word) * 1000 if word else None for word in words[7:10])
    elif singles := _ONLY_ONE.findall(text):
        count, sd = 1, 0.0
        least = most = average = float(singles[-1]) * 1000
        p05 = median = p95 = average
    else:
        raise TrialError("protocol_violation", "benchmark_model printed no counted inferences")
    low, high = mean * (1 - _ROUNDING), mean * (1 + _ROUNDING)
    if count < 1 or not (low <= average <= high and least <= high and most >= low):
        raise TrialError("protocol_violation", "benchmark_model's lines contradict each other")
    delegated = _DELEGATED.findall(text)
    taken, nodes, _, partitions = delegated[-1] if delegated else (None, None, "", None)
    return UpstreamTimings(
        count=count,
        mean=mean,
        sd=sd,
        minimum=least,
        maximum=most,
        median=median,
        p05=p05,
        p95=p95,
        initialization=init,
        first_inference=first,
        warmup_mean=warmup,
        delegated=int(taken) if taken else None,
        nodes=int(nodes) if nodes else None,
        partitions=int(partitions) if partitions else None,
    )
