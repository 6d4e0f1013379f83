"""The arguments of TensorFlow's own ``benchmark_model``, and its output.

It reports a mean, a spread and, in newer builds, a median, and keeps no single sample.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mobilebench_agent.contract import Job, Metric, Result

from mobilebench.devices.base import TrialError
from mobilebench.records.device import BENCHMARK_MODEL

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?(?:e\+?[0-9]{1,2})?"
# TensorFlow's ``stats_calculator.h``: where all times are the same it prints one, and says so.
_COUNT = re.compile(
    rf"^(?:[A-Z]+: |[A-Z] tflite\s*: )?count=(?P<count>[0-9]{{1,12}}) "
    rf"(?:first={_NUMBER} curr={_NUMBER} min=(?P<min>{_NUMBER}) max=(?P<max>{_NUMBER}) "
    rf"avg=(?P<avg>{_NUMBER}) std=(?P<std>{_NUMBER})"
    rf"|curr=(?P<all>{_NUMBER})(?P<same> ?\(all same\))?)"
    rf"(?: p5=(?P<p5>{_NUMBER}) median=(?P<median>{_NUMBER}) p95=(?P<p95>{_NUMBER}))?$",
    re.MULTILINE,
)
_SUMMARY = re.compile(
    rf"Inference timings in us: Init: ({_NUMBER}), First inference: ({_NUMBER}), "
    rf"Warmup \(avg\): ({_NUMBER}), Inference \(avg\): ({_NUMBER})$",
    re.MULTILINE,
)
_DELEGATED = re.compile(
    r"Replacing (\d{1,6}) out of (\d{1,6}) node\(s\) with delegate \(([^)]{1,80})\) node, "
    r"yielding (\d{1,6}) partitions"
)

_EXPLICIT = re.compile(
    r"Explicitly applied \w{1,40} delegate, and the model graph will be (completely|partially) "
)
#: It prints whole microseconds, and six digits of a mean.
_RESOLUTION_NS = 1000.0

#: Both lines are rounded to six digits.
_ROUNDING = 0.001


@dataclass(frozen=True)
class BenchmarkModelTimings:
    """What ``benchmark_model`` printed; times in nanoseconds. None: this build does not print it.

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


def arguments(job: Job) -> tuple[str, ...]:
    """The program's arguments for a job.

    Raises:
        TrialError: ``bad_job``: it measures latency alone; ``cpus_unavailable``.
    """
    if job.kind != "latency":
        raise TrialError("bad_job", f"{BENCHMARK_MODEL} measures latency, not {job.kind}")
    if job.cpus or job.cluster:
        raise TrialError("cpus_unavailable", f"{BENCHMARK_MODEL} cannot be kept to some CPUs")
    words = [
        f"--graph={job.model}",
        f"--num_threads={job.threads}",
        # Never beside an accelerator: XNNPACK would take what that left.
        f"--use_xnnpack={str(job.xnnpack and job.accelerator == 'cpu').lower()}",
        f"--warmup_runs={job.warmup_runs}",
        f"--warmup_min_secs={job.warmup_seconds:g}",
        f"--num_runs={job.runs}",
        f"--min_secs={job.seconds:g}",
        f"--max_secs={job.max_seconds:g}",
    ]
    if job.accelerator == "npu" or job.serialization:
        what = "serializes nothing" if job.serialization else "has no accelerator 'npu'"
        raise TrialError("accelerator_unavailable", f"{BENCHMARK_MODEL} here {what}")
    if job.accelerator != "cpu":
        words.append(f"--use_{job.accelerator}=true")
    half, sustained = job.precision == "float16", job.preference == "sustained"
    if job.precision:
        option = "gpu_precision_loss_allowed" if job.accelerator == "gpu" else "nnapi_allow_fp16"
        words.append(f"--{option}={str(half).lower()}")
    if job.preference and job.accelerator == "gpu":
        words.append(f"--gpu_inference_for_sustained_speed={str(sustained).lower()}")
    elif job.preference:
        preference = "sustained_speed" if sustained else "fast_single_answer"
        words.append(f"--nnapi_execution_preference={preference}")
    return tuple(words)


def result_of(job: Job, output: str) -> Result:
    """The trial's result, as far as the program reports it: no sample, but a mean and a spread.

    Raises:
        TrialError: ``protocol_violation``; ``accelerator_unavailable``: it does not say that the
            accelerator took anything.
    """
    timings = parse_output(output)
    if job.accelerator != "cpu" and not (timings.delegated or _EXPLICIT.search(output)):
        raise TrialError(
            "accelerator_unavailable",
            f"{BENCHMARK_MODEL} does not say that {job.accelerator} took any part of the model",
        )
    known = {
        "latency_mean": (timings.mean, "avg", timings.count),
        "latency_sd": (timings.sd, "std", timings.count),
        "latency_minimum": (timings.minimum, "min", timings.count),
        "latency_maximum": (timings.maximum, "max", timings.count),
        "latency_median": (timings.median, "median", timings.count),
        "latency_p05": (timings.p05, "p5", timings.count),
        "latency_p95": (timings.p95, "p95", timings.count),
        "initialization_time": (timings.initialization, "Init", 1),
        "first_inference": (timings.first_inference, "First inference", 1),
    }
    delegation = {
        "nodes": timings.nodes,
        "delegated": timings.delegated,
        "partitions": timings.partitions,
    }
    return Result(
        job.trial,
        job.kind,
        metrics=tuple(_metric(name, *values) for name, values in known.items()),
        delegation=delegation if timings.nodes else {},
    )


def _metric(name: str, value: float | None, word: str, n: int) -> Metric:
    source = f"{BENCHMARK_MODEL}: {word}"
    if value is None:
        return Metric.unavailable(name, "ns", source, "this build does not print it")
    return Metric(name, "ns", source, value, _RESOLUTION_NS, n)


def parse_output(text: str) -> BenchmarkModelTimings:
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
    counts = list(_COUNT.finditer(text))
    if not counts:
        raise TrialError("protocol_violation", "benchmark_model printed no counted inferences")
    # The warm-up prints such a line, too; the measuring comes last.
    line = counts[-1]
    count = int(line["count"])
    p05: float | None
    median: float | None
    p95: float | None
    if line["all"]:
        if count > 1 and not line["same"]:
            raise TrialError(
                "protocol_violation", f"benchmark_model printed one time for {count} inferences"
            )
        least = most = average = float(line["all"]) * 1000
        p05, median, p95, sd = average, average, average, 0.0
    else:
        least, most, average, sd = (float(line[n]) * 1000 for n in ("min", "max", "avg", "std"))
        percentiles = (line["p5"], line["median"], line["p95"])
        p05, median, p95 = (float(word) * 1000 if word else None for word in percentiles)
    low, high = mean * (1 - _ROUNDING), mean * (1 + _ROUNDING)
    if count < 1 or not (low <= average <= high and least <= high and most >= low):
        raise TrialError("protocol_violation", "benchmark_model's lines contradict each other")
    delegated = _DELEGATED.findall(text)
    taken, nodes, _, partitions = delegated[-1] if delegated else (None, None, "", None)
    return BenchmarkModelTimings(
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
