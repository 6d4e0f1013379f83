"""A device that answers with the numbers of a script, in no time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from mobilebench.devices.base import Cooldown, OnEvent, OnWait, PreflightResult, TrialError
from mobilebench.records.device import DeviceFacts
from mobilebench_agent.contract import Job, Metric, PowerSeries, Result, Window
from numpy.typing import NDArray

from tests.support.in_process import InProcessFiles
from tests.support.models import CANDIDATE, sha256

#: A number for the candidate or the baseline, and its n-th trial of that kind.
Script = Callable[[bool, int], float | None]


class ScriptedDevice(InProcessFiles):
    """Latency in milliseconds, memory in bytes, energy in joules, and so on, by script.

    Attributes:
        latency: of each inference of a trial.
        memory, energy: None for what no counter can read.
        right: how many of thirty answers of the baseline and of the candidate are the first of ten
            classes, from the first on; None: both files' own answers.
        fault: an error instead of a result; it is given the kind of trial, too.
        load: how many of two CPUs others keep busy beside the trial; None: not reported.
        version: the runtime's.
        jobs: what was run, the warm-up of a gate excepted.
    """

    kind = "fake"
    name = "local"

    def __init__(self, latency: Script = lambda *_: 1.0) -> None:
        super().__init__()
        self.latency = latency
        self.memory: Script = lambda *_: 7e6
        self.energy: Script = lambda *_: None
        self.right: Mapping[bool, int] | None = None
        self.fault: Callable[[bool, str, int], TrialError | None] = lambda *_: None
        self.load: Script = lambda *_: None
        self.version = "1.0"
        self.info: dict[str, str] = {}
        self.jobs: list[Job] = []
        self._seen: Counter[tuple[str, bool]] = Counter()
        self._lock = threading.Lock()

    def probe(self) -> DeviceFacts:
        return DeviceFacts(self.name, self.kind, "0", "a-runtime", self.version, info=self.info)

    def preflight(self, cooldown: Cooldown, on_wait: OnWait) -> PreflightResult:  # noqa: ARG002
        return PreflightResult()

    def run(self, job: Job, on_event: OnEvent, timeout_seconds: float) -> Result:  # noqa: ARG002
        if ".warmup." in job.trial:
            return Result(job.trial, job.kind, samples_ns=(5,) * 9, warmup_ns=(5,) * 7)
        candidate = job.model_sha256 == sha256(CANDIDATE)
        with self._lock:
            self.jobs.append(job)
            number = self._seen[job.kind, candidate]
            self._seen[job.kind, candidate] += 1
        error = self.fault(candidate, job.kind, number)
        if error:
            raise error
        if job.kind == "latency":
            ns = round(1e6 * (self.latency(candidate, number) or 0))
            result = Result(job.trial, job.kind, samples_ns=(ns, ns, ns))
            return loaded(result, self.load(candidate, number))
        if job.kind == "memory":
            return memory_result(job, self.memory(candidate, number))
        if job.kind == "energy":
            result = energy_result(job, self.energy(candidate, number))
            return loaded(result, self.load(candidate, number))
        if self.right is None:
            return self.answer(job)
        answers = classes(self.right[candidate])
        # The candidate answers with bytes, of which 256 make a 1.
        return self.give(job, (answers * 255 - 128).astype(np.int8) if candidate else answers)


#: What the fixture ``on`` gives a test.
Open = Callable[[ScriptedDevice], ScriptedDevice]


def slower(by: float, noise: float = 0.002, seed: int = 1) -> Script:
    """Latency of a candidate that is slower by a share, with seeded noise of each trial."""
    errors = np.random.default_rng(seed).normal(0, noise, (2, 200))
    return lambda candidate, n: (1 + by * candidate) * float(np.exp(errors[int(candidate), n]))


def loaded(result: Result, cpus: float | None) -> Result:
    """A result of a trial beside which others kept so many of two CPUs busy."""
    if cpus is None:
        return result
    load = Metric("cpu_load_other", "CPUs", "a script", cpus, 0.01, n=2)
    return replace(result, metrics=(*result.metrics, load), conditions={"cpus": [0, 1]})


def memory_result(job: Job, value: float | None) -> Result:
    metric = (
        Metric.unavailable("memory_peak", "B", "none", "no such counter")
        if value is None
        else Metric("memory_peak", "B", "a script", value, n=1)
    )
    return Result(job.trial, job.kind, (metric,))


def energy_result(job: Job, joules: float | None) -> Result:
    """Windows of one second in which ten inferences took so many joules each, above two watts."""
    if joules is None:
        refusal = Metric.unavailable("energy_per_inference", "J", "none", "no such counter")
        return Result(job.trial, job.kind, (refusal,))
    windows, times, values, total = [], [], [], 0.0
    for n in range(2 * job.windows):
        start, load = n * 2 * 10**9, n % 2 == 1
        windows.append(Window(load, start, start + 10**9, 10 if load else 0))
        for moment in (start, start + 10**9):
            times.append(moment)
            values.append(round(1e6 * total))
            # Not as even as a counter with large steps would be.
            total += 2 + n * 1.7e-5 + (10 * joules if load else 0) if moment == start else 0
    series = PowerSeries(
        "RAPL", "energy", "µJ", "a script", 1, None, True, tuple(times), tuple(values)
    )
    return Result(job.trial, job.kind, windows=tuple(windows), power=(series,))


def classes(right: int) -> NDArray[np.float32]:
    """Thirty answers over ten classes, of which so many choose the first."""
    return np.eye(10, dtype=np.float32)[[0] * right + [1] * (30 - right)]
