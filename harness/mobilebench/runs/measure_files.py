"""Files measured in turn on one device that stays at hand: latency, memory, energy, answers.

For what looks at many files, one after the other, and keeps no run: a search, a notebook. A run is
what shows differences to others: it has a plan, replicates and a folder.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mobilebench_agent import contract
from mobilebench_agent.contract import FEWEST_WINDOWS, Job, Result

from mobilebench.analysis.energy import of_trial
from mobilebench.analysis.validity import difference
from mobilebench.compress.artifact import EvaluationSet
from mobilebench.compress.step import unreported
from mobilebench.devices.base import (
    Cooldown,
    Device,
    InvalidTrialError,
    TrialError,
)
from mobilebench.devices.spec import DeviceSpec
from mobilebench.files import sha256_of
from mobilebench.models.hooks import Hooks
from mobilebench.records.device import DeviceFacts
from mobilebench.records.interface import Interface
from mobilebench.records.runtime import Runtime
from mobilebench.records.trial import ATTEMPTS
from mobilebench.runs import power_profiles
from mobilebench.runs.answers import Evaluation, Found, ask
from mobilebench.runs.evaluations import Machine
from mobilebench.runs.lanes import look, refusal
from mobilebench.runs.leases import Leases, OnWait
from mobilebench.runs.samples import Samples
from mobilebench.runs.selection import open_device
from mobilebench.tflite import precision

if TYPE_CHECKING:
    from mobilebench.compress.step import Report

_TIMEOUT_SECONDS = 300.0
#: Of an energy trial, as in a run.
_WINDOW_SECONDS = 2.0
_COOLDOWN = Cooldown(None, 600.0)


@dataclass(frozen=True)
class Pace:
    """How long each process is timed.

    Attributes:
        seconds: at least so long, after the warm-up.
        warmup_seconds: that long.
        runs: at least so many inferences.
        max_seconds: a slow model stops here.
    """

    seconds: float = 0.3
    warmup_seconds: float = 0.2
    runs: int = 20
    max_seconds: float = 30.0


class FileMeasurer:
    """One device with one runtime.

    Args:
        device: where.
        facts: what it said of itself.
        runtime: accelerator, threads, delegate.
        seed: of the inputs.
        leases: which have the device.
        pace: how long each process is timed.
    """

    def __init__(
        self,
        device: Device,
        facts: DeviceFacts,
        runtime: Runtime,
        seed: int,
        leases: Leases,
        pace: Pace = Pace(),
    ) -> None:
        self.facts = facts
        self.device = device
        self._runtime = runtime
        self._seed = seed
        self._leases = leases
        self._pace = pace
        self._count = 0
        self._machine = Machine()

    @classmethod
    def on(
        cls,
        spec: DeviceSpec,
        runtime: Runtime,
        seed: int,
        leases: Leases,
        pace: Pace = Pace(),
        on_wait: OnWait = lambda _text: None,
    ) -> FileMeasurer:
        """Opens a device, takes its lease, and looks whether it is fit.

        ``on_wait`` is given who has it, while it is waited for.

        Raises:
            BadInputError: there is no such device.
            InvalidRunError: it is unfit, or somebody else measures on it.
        """
        lanes, problems = look([spec], open_device, leases, on_wait)
        if problems:
            raise refusal(problems)
        facts = power_profiles.recorded(spec, lanes[0].facts)
        return cls(lanes[0].device, facts, runtime, seed, leases, pace)

    def latency(
        self, files: Sequence[Path], rounds: int, report: Report = unreported
    ) -> list[list[float]]:
        """The median inference of each process: for each file, one a round (nanoseconds).

        In each round every file runs once, in a fresh process, so that whatever drifts meets all
        alike: their ratios within a round can be compared.

        Raises:
            TrialError: one gave none, or the device's processor is emulated.
            DeviceError: somebody else has the device now.
        """
        if self.facts.emulated:
            raise TrialError("emulated", f"the processor of {self.facts.name} is emulated")
        found: list[list[float]] = [[] for _ in files]
        for _ in range(rounds):
            for file, medians in zip(files, found, strict=True):
                result = self._run(self._job("latency", file))
                medians.append(float(statistics.median(result.samples_ns)))
                report(sum(map(len, found)), rounds * len(files))
        return found

    def memory(self, file: Path) -> float:
        """The highest resident set over that of the empty runtime, of one process (bytes).

        Raises:
            TrialError: there is none.
            DeviceError: somebody else has the device now.
        """
        result = self._run(self._job("memory", file))
        peak = next((m.value for m in result.metrics if m.name == "memory_peak"), None)
        if peak is None:
            raise TrialError("unavailable", f"{self.facts.name} reports no peak of memory")
        return float(peak)

    def energy(self, file: Path) -> float:
        """What an inference takes beyond the idle device, of one process (joules).

        It takes most of a minute: windows under load and idle ones, in pairs.

        Raises:
            TrialError: the device has no counter that can measure it, or its processor is emulated.
            DeviceError: somebody else has the device now.
        """
        if self.facts.emulated:
            raise TrialError("emulated", f"the processor of {self.facts.name} is emulated")
        job = replace(
            self._job("energy", file), windows=FEWEST_WINDOWS, window_seconds=_WINDOW_SECONDS
        )
        longest = _TIMEOUT_SECONDS + 3 * FEWEST_WINDOWS * _WINDOW_SECONDS
        result = self._run(job, longest)
        reported = next((m for m in result.metrics if m.name == "energy_per_inference"), None)
        if not result.windows:
            reason = reported.reason if reported else ""
            raise TrialError("unavailable", reason or f"{self.facts.name} ran no windows")
        found = of_trial(
            result.windows, result.power, self.facts.battery_current, self.facts.power_counter
        )
        if not found.per_inference:
            raise TrialError("unavailable", found.reason)
        return float(statistics.median(found.per_inference))

    def answers(self, file: Path, interface: Interface, data: EvaluationSet, hooks: Hooks) -> Found:
        """The file's answers to evaluation data, scored where these have labels.

        Raises:
            TrialError: the device gave none, or they are not the file's: its reference answers on
                this machine are others.
            DeviceError: somebody else has the device now.
        """
        samples = Samples(data.path, data.sha256, data.count, "data", data.task, data.reason)
        evaluation = Evaluation(interface, samples, hooks=hooks)
        job = self._job("latency", file)
        reference = self._machine.reference(file, job.model_sha256, evaluation)
        evaluation = replace(evaluation, reference=reference)
        found = ask(self.device, job, evaluation, lambda _: None, _TIMEOUT_SECONDS, self._seed)
        self._leases.ensure(self.device)  # somebody else's load leaves answers as they are
        if why := difference(
            found.answers,
            precision.read(file.read_bytes(), str(file)),
            self._runtime.accelerator,
            self._runtime.precision,
        ):
            raise TrialError("answers_differ", why)
        return found

    def _job(self, kind: str, file: Path) -> Job:
        digest = sha256_of(file)
        self._count += 1
        return Job(
            protocol=contract.PROTOCOL_VERSION,
            trial=f"file-{self._count}",
            kind=kind,
            model=self.device.push(file, digest),
            model_sha256=digest,
            **self._runtime.in_job,
            warmup_seconds=self._pace.warmup_seconds,
            runs=self._pace.runs,
            seconds=self._pace.seconds,
            max_seconds=self._pace.max_seconds,
            seed=self._seed,
        )

    def _run(self, job: Job, timeout_seconds: float = _TIMEOUT_SECONDS) -> Result:
        """What a job gives; where the device's state disturbed it, it is repeated."""
        for attempt in range(1, ATTEMPTS + 1):
            self.device.preflight(_COOLDOWN, lambda _: None)
            try:
                named = replace(job, trial=f"{job.trial}-{attempt}")
                result = self.device.run(named, lambda _: None, timeout_seconds)
                if self._leases.ensure(self.device):
                    return result
                raise InvalidTrialError(
                    "taken", f"somebody else had {self.facts.name} meanwhile", result
                )
            except InvalidTrialError:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("the last attempt raises")
