"""Carries a plan out on one device: look, push, run, keep; whatever a trial does, the next runs.

A trial that the device's state invalidated is repeated at once, so that the plan keeps its order;
every attempt is kept.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from mobilebench_agent import contract
from mobilebench_agent.contract import Event, Job, Metric, Result

from mobilebench import clock
from mobilebench.analysis import warmup
from mobilebench.compress.artifact import Progress
from mobilebench.compress.recipe import Recipe
from mobilebench.devices.base import (
    Cooldown,
    Device,
    InvalidTrialError,
    PreflightResult,
    TrialError,
)
from mobilebench.errors import DeviceError, InvalidRunError
from mobilebench.models.spec import ModelSpec
from mobilebench.records.protocol import MeasuringProtocol
from mobilebench.records.runtime import Runtime
from mobilebench.records.timings import Timings
from mobilebench.records.trial import (
    OLDER_KIND,
    Delegation,
    PlannedTrial,
    Trial,
    TrialConditions,
    attempt_name,
)
from mobilebench.runs.answers import NO_EVALUATION, Evaluation, Found, ask
from mobilebench.runs.leases import Leases
from mobilebench.runs.quiet import Quiet
from mobilebench.store.folder import RunFolder

#: After so many failures of one variant in a row, its other trials are not worth their time.
_FAILURES_BEFORE_SKIPPING = 2

#: A sustained trial's counters are read so often, and at least so many times.
_TRACE_SECONDS = 5.0
_FEWEST_READINGS = 12

_OLDER = (
    "an older version planned it, whose agent compared answers with labels on the device: start a "
    "new run to have quality measured"
)

#: What other processes on its CPUs make another number of.
_TIMED = ("latency", "warmup", "energy")

_CLOCK = "host's CLOCK_MONOTONIC"


@dataclass(frozen=True)
class Payload:
    """The files of one variant: its model, and the samples that it is to answer.

    ``packed`` has the model packed in each way that a runtime asks for, with that file's hash.
    """

    model: Path
    model_sha256: str
    evaluation: Evaluation = NO_EVALUATION
    packed: Mapping[str, tuple[Path, str]] = field(default_factory=dict)


OnTrial = Callable[[PlannedTrial], None]
OnRecord = Callable[[Trial], None]
OnEvent = Callable[[Event], None]


@runtime_checkable
class RemoteSession(Protocol):
    """A device whose own host carries a plan out, by itself, and reports."""

    def carry_out(
        self,
        folder: RunFolder,
        plan: Sequence[PlannedTrial],
        again: Set[str],
        on_trial: OnTrial,
        on_record: OnRecord,
        stop: threading.Event,
    ) -> None:
        """As ``run_session``, which it takes the place of."""


@runtime_checkable
class RemoteMaker(Protocol):
    """A device whose own hosts may make variants before this one does."""

    def make_variants(
        self,
        variants: Sequence[tuple[ModelSpec, Recipe]],
        seed: int,
        cache: Path,
        on_progress: Callable[[Progress], None],
        packings: Collection[str],
    ) -> None:
        """Makes those that it can into the cache; ``compress_variants`` makes the others."""


def run_session(
    folder: RunFolder,
    device: Device,
    plan: Sequence[PlannedTrial],
    payloads: Mapping[tuple[str, str], Payload],
    runtimes: Mapping[str, Runtime],
    protocol: MeasuringProtocol,
    seed: int,
    on_trial: OnTrial,
    on_event: OnEvent,
    on_record: OnRecord,
    stop: threading.Event,
    again: Set[str] = frozenset(),
    leases: Leases | None = None,
) -> None:
    """Runs what of the plan is not in the folder yet, and appends each attempt as it ends.

    Args:
        folder: the run, held by the caller for writing.
        device: where to run.
        plan: this device's trials in order.
        payloads: the files of each (model, recipe).
        runtimes: by name.
        protocol: how often and how long.
        seed: of the random inputs.
        on_trial: is given each trial that starts.
        on_event: is given what the agent reports meanwhile.
        on_record: is given each attempt that ended.
        stop: set by somebody else, it ends the session within a second; the trial under way is
            dropped.
        again: trials that failed and are repeated, by name.
        leases: among which is this device's; None: it is nobody else's in any case.

    Raises:
        KeyboardInterrupt: ``stop`` was set.
        DeviceError: the device is unfit to go on.
        InvalidRunError: results can no longer be written, or the run's own files are gone.
    """

    def report(trial: PlannedTrial, event: Event) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        on_event(replace(event, trial=trial.trial))

    leases = leases or Leases()
    quiet = Quiet(leases.patience.quiet_seconds)
    finished = {record.trial: record for record in folder.trials()}
    warmups = earlier_warmups(folder, plan, finished.values())
    failures: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for number, trial in enumerate(plan, 1):
        variant = (trial.model, trial.recipe, trial.runtime)
        record = finished.get(trial.trial)
        repeated = trial.trial in again
        while record is None or not record.is_final or repeated:
            repeated = False
            if stop.is_set():
                raise KeyboardInterrupt
            on_trial(trial)
            attempt = 1 if record is None else record.attempt + 1
            payload = payloads[trial.model, trial.recipe]
            place = (trial.model, trial.runtime)
            if len(failures[variant]) >= _FAILURES_BEFORE_SKIPPING:
                reason = f"not started after two failures in a row: {failures[variant][0]}"
                record = _without_result(trial, attempt, payload, TrialError("skipped", reason))
                folder.append(record)
            elif trial.kind == OLDER_KIND:
                record = _without_result(trial, attempt, payload, TrialError("skipped", _OLDER))
                folder.append(record)
            else:
                record = _attempt(
                    folder,
                    device,
                    leases,
                    quiet,
                    trial,
                    attempt,
                    payload,
                    runtimes[trial.runtime],
                    protocol,
                    warmups.get(place) if trial.kind == "latency" else None,
                    seed,
                    (number, len(plan)),
                    partial(report, trial),
                )
            on_record(record)
            if record.code == "too_hot":
                # No other trial could start either, and each would wait as long.
                raise DeviceError(record.reason, "unfit")
            if trial.kind == "warmup" and record.state == "valid":
                times = folder.times_of(record)
                if times is not None:
                    warmups[place] = warmup.needed(times.warmup, times.samples)
        if record.state == "valid":
            failures[variant].clear()
        elif record.state == "failed" and record.code != "skipped":
            failures[variant].append(record.reason)


def earlier_warmups(
    folder: RunFolder, plan: Sequence[PlannedTrial], finished: Iterable[Trial]
) -> dict[tuple[str, str], int]:
    """How many warm-up runs each baseline took, of the trials that were made to find it.

    Args:
        folder: of the run.
        plan: this device's trials.
        finished: those that an earlier session ended.

    Returns:
        the number by model and runtime; where there is none, the protocol's own limits hold.
    """
    places = {t.trial: (t.model, t.runtime) for t in plan if t.kind == "warmup"}
    records = [r for r in finished if r.trial in places and r.state == "valid"]
    if not records:
        return {}
    return {
        places[trial]: warmup.needed(times.warmup, times.samples)
        for trial, times in folder.timings(records)
    }


def _attempt(
    folder: RunFolder,
    device: Device,
    leases: Leases,
    quiet: Quiet,
    trial: PlannedTrial,
    attempt: int,
    payload: Payload,
    runtime: Runtime,
    protocol: MeasuringProtocol,
    warmup_runs: int | None,
    seed: int,
    place: tuple[int, int],
    on_event: OnEvent,
) -> Trial:
    """One attempt at a trial, kept in the folder whatever became of it."""
    started, begin = clock.now(), time.monotonic()
    name = attempt_name(trial.trial, attempt)
    cooldown = Cooldown(protocol.cooldown_celsius, protocol.cooldown_seconds)
    preflight_result = PreflightResult()
    error: TrialError | None = None
    result: Result | None = None
    found: Found | None = None
    _ensure_there(payload)
    try:
        preflight_result = _begin(
            device,
            leases,
            quiet if trial.kind in _TIMED else None,
            runtime,
            cooldown,
            lambda text: on_event(Event(name, text)),
        )
        waited = time.monotonic() - begin
        job = _job(device, trial, name, payload, runtime, protocol, seed, place)
        if warmup_runs is not None:
            job = replace(job, warmup_runs=warmup_runs, warmup_seconds=0.0)
        # Minutes that are asked for are no sign of a device that hangs.
        timeout = protocol.limit_seconds(trial.kind)
        if _is_sustained(trial, protocol):
            timeout += protocol.measured_seconds
        if trial.kind == "outputs":
            found = ask(device, job, payload.evaluation, on_event, timeout, seed)
            result = found.result
        else:
            result = device.run(job, on_event, timeout)
    except InvalidTrialError as invalid:
        result = invalid.result
        if result is not None and invalid.heat and _is_sustained(trial, protocol):
            # Such a trial measures the effect of heat.
            result = replace(result, warnings=(*result.warnings, f"at its end {invalid.reason}"))
        else:
            error = invalid
    except TrialError as failed:
        error = failed
    if not leases.ensure(device):
        error = InvalidTrialError("taken", "somebody else had the device meanwhile", result)
    seconds = time.monotonic() - begin
    record = _without_result(trial, attempt, payload, error, started, seconds)
    timings = None
    if result is not None:
        timings = Timings(
            *(
                np.array(times, dtype=np.int64)
                for times in (
                    result.samples_ns,
                    result.warmup_ns,
                    result.starts_ns,
                    result.cpu_ns,
                    result.switches,
                )
            )
        )
        delegation, misread = _delegation(result)
        wait = Metric("preflight_time", "ns", _CLOCK, round(waited * 1e9), 1, 1)
        metrics = (*result.metrics, *preflight_result.metrics, wait)
        record = replace(
            record,
            samples=timings.samples.size,
            metrics=metrics,
            delegation=delegation,
            windows=result.windows,
            power=result.power,
            conditions=TrialConditions.reported(result.conditions),
            traces=result.traces,
            warnings=tuple(dict.fromkeys((*preflight_result.warnings, *result.warnings, *misread))),
        )
    if found is not None:
        record = replace(record, answers=found.answers)
        if found.arrays:
            folder.write_answers(name, found.arrays)
    folder.append(record, timings)
    return record


def _begin(
    device: Device,
    leases: Leases,
    quiet: Quiet | None,
    runtime: Runtime,
    cooldown: Cooldown,
    on_wait: Callable[[str], None],
) -> PreflightResult:
    """Sees that a device is fit, this run's, and left alone by others where that is waited for."""
    found = device.preflight(cooldown, on_wait)
    leases.ensure(device)
    warning = quiet.wait(device, runtime, on_wait) if quiet else ""
    return replace(found, warnings=(*found.warnings, warning)) if warning else found


def _ensure_there(payload: Payload) -> None:
    """Sees that the run's own files are there: their loss is no fault of a model.

    Raises:
        InvalidRunError: one is not.
    """
    for file in (payload.model, *(path for path, _ in payload.packed.values())):
        if not file.is_file():
            raise InvalidRunError(f"{file} is missing, and the run cannot go on without it")


def _delegation(result: Result) -> tuple[Delegation | None, tuple[str, ...]]:
    """Which nodes were delegated, and a warning where the device's report of it is none."""
    try:
        return Delegation.reported(result.delegation), ()
    except ValueError as error:
        return None, (f"what the device reports of delegated nodes cannot be read: {error}",)


def _is_sustained(trial: PlannedTrial, protocol: MeasuringProtocol) -> bool:
    return trial.kind == "latency" and protocol.sustained_minutes is not None


def _job(
    device: Device,
    trial: PlannedTrial,
    name: str,
    payload: Payload,
    runtime: Runtime,
    protocol: MeasuringProtocol,
    seed: int,
    place: tuple[int, int],
) -> Job:
    """What the device is asked to do; the files are sent to it first.

    ``place``: which of how many trials of this device it is.

    Raises:
        TrialError: a file could not be sent.
    """
    packing = runtime.packed or ""
    file, sha256 = payload.packed[packing] if packing else (payload.model, payload.model_sha256)
    return Job(
        protocol=contract.PROTOCOL_VERSION,
        trial=name,
        # Of an outputs trial each batch of samples becomes a job of that kind.
        kind="latency" if trial.kind in ("warmup", "outputs") else trial.kind,
        model=device.push(file, sha256),
        model_sha256=sha256,
        packing=packing,
        unpacked_sha256=payload.model_sha256 if packing else "",
        unpacked_bytes=payload.model.stat().st_size if packing else 0,
        **runtime.in_job,
        warmup_runs=protocol.warmup_runs,
        warmup_seconds=protocol.warmup_seconds,
        runs=protocol.runs if protocol.sustained_minutes is None else 1,
        seconds=protocol.measured_seconds,
        max_seconds=max(protocol.max_seconds, protocol.measured_seconds),
        seed=seed,
        windows=protocol.energy_windows,
        window_seconds=protocol.energy_seconds,
        trace_seconds=_trace_seconds(protocol) if _is_sustained(trial, protocol) else 0.0,
        shown_model=trial.model[: contract.MOST_SHOWN],
        shown_recipe=trial.recipe[: contract.MOST_SHOWN],
        shown_trial=place[0],
        shown_trials=place[1],
    )


def _trace_seconds(protocol: MeasuringProtocol) -> float:
    """How often a sustained trial's counters are read: a short one's more often."""
    return min(_TRACE_SECONDS, protocol.measured_seconds / _FEWEST_READINGS)


def _without_result(
    trial: PlannedTrial,
    attempt: int,
    payload: Payload,
    error: TrialError | None,
    started: str = "",
    seconds: float = 0.0,
) -> Trial:
    """The record of an attempt before what was measured is put into it."""
    invalid = isinstance(error, InvalidTrialError)
    return Trial(
        **asdict(trial),
        artifact=payload.model_sha256,
        state="valid" if error is None else "invalid" if invalid else "failed",
        started=started or clock.now(),
        seconds=round(seconds, 6),
        code=error.code if error else "",
        reason=error.reason if error else "",
        attempt=attempt,
    )
