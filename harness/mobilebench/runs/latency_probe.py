"""Quick comparisons of latency while models are still being made.

See ``mobilebench.compress.pipeline.latency``.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mobilebench_agent import contract
from mobilebench_agent.contract import Job

from mobilebench.compress.pipeline.latency import LatencyProbe, NotMeasuredError
from mobilebench.compress.step import unreported
from mobilebench.devices.base import Device, TrialError
from mobilebench.files import sha256_of
from mobilebench.records.device import DeviceFacts
from mobilebench.records.runtime import Runtime

if TYPE_CHECKING:
    from mobilebench.compress.step import Report

#: Fresh processes for each model, in turn.
_ROUNDS = 5
_WARMUP_SECONDS = 0.2
_SECONDS = 0.3
_RUNS = 20
_MAX_SECONDS = 30.0
_TIMEOUT_SECONDS = 120.0

#: What distinguishes one device from another, whatever it is called.
_IDENTITY = ("board", "model", "serial", "cpu", "machine")


def latency_probe_on(
    device: Device, facts: DeviceFacts, runtime: Runtime, seed: int
) -> LatencyProbe:
    """Measures on a device as a run would: warm, in fresh processes, models in turn.

    Args:
        device: where.
        facts: what it said of itself.
        runtime: accelerator, threads, delegate, CPUs.
        seed: of the inputs.
    """
    known = [str(facts.info[key]) for key in _IDENTITY if facts.info.get(key)]
    threads = "1 thread" if runtime.threads == 1 else f"{runtime.threads} threads"
    how = [runtime.label, threads, *([] if runtime.xnnpack else ["no XNNPACK"])]
    how += [runtime.place] if runtime.place else []
    name = f"{' '.join([facts.kind, *known])} ({facts.library}, {', '.join(how)})"

    def once(number: int, file: Path) -> float:
        digest = sha256_of(file)
        job = Job(
            protocol=contract.PROTOCOL_VERSION,
            trial=f"latency_probe-{number}",
            kind="latency",
            model=device.push(file, digest),
            model_sha256=digest,
            **runtime.in_job,
            warmup_seconds=_WARMUP_SECONDS,
            runs=_RUNS,
            seconds=_SECONDS,
            max_seconds=_MAX_SECONDS,
            seed=seed,
        )
        result = device.run(job, lambda _event: None, _TIMEOUT_SECONDS)
        return statistics.median(result.samples_ns) / 1e9

    def measure(files: Sequence[Path], report: Report = unreported, /) -> list[float]:
        if facts.emulated:
            raise NotMeasuredError(f"the processor of {facts.name} is emulated")
        medians: list[list[float]] = [[] for _ in files]
        total = _ROUNDS * len(files)
        try:
            for number in range(_ROUNDS):
                for file, found in zip(files, medians, strict=True):
                    found.append(once(number, file))
                    report(sum(map(len, medians)), total)
        except TrialError as error:
            raise NotMeasuredError(error.reason) from error
        return [statistics.median(found) for found in medians]

    return LatencyProbe(name, measure)
