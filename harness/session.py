"""Carries a plan out on one device: push, run, keep; whatever a trial does, the next one runs."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from device_agent import contract
from device_agent.contract import Event, Job
from harness.devices.base import Device, TrialError
from harness.plan import PlannedTrial
from harness.store import RunFolder, TrialRecord
from harness.suite import MeasuringProtocol, RuntimeSpec

#: After so many failures of one variant in a row, its other trials are not worth their time.
_FAILURES_BEFORE_SKIPPING = 2


@dataclass(frozen=True)
class Payload:
    """The files of one variant: its model, and its labelled data if there are any."""

    model: Path
    model_sha256: str
    dataset: Path | None = None
    dataset_sha256: str = ""


OnTrial = Callable[[PlannedTrial], None]
OnRecord = Callable[[TrialRecord], None]
OnEvent = Callable[[Event], None]


def run_session(
    folder: RunFolder,
    device: Device,
    plan: Sequence[PlannedTrial],
    payloads: Mapping[tuple[str, str], Payload],
    runtimes: Mapping[str, RuntimeSpec],
    protocol: MeasuringProtocol,
    seed: int,
    on_trial: OnTrial,
    on_event: OnEvent,
    on_record: OnRecord,
    stop: threading.Event,
) -> None:
    """Runs what of the plan is not in the folder yet, and appends each trial as it ends.

    Args:
        folder: the run, held by the caller for writing.
        device: where to run.
        plan: this device's trials in order.
        payloads: the files of each (model, recipe).
        runtimes: by name.
        protocol: how often and how long.
        seed: of the random inputs.
        on_trial: told of each trial that starts.
        on_event: told of what the agent says meanwhile.
        on_record: told of each trial that ended.
        stop: set by somebody else, it ends the session within a second; the trial under way is
            dropped.

    Raises:
        KeyboardInterrupt: ``stop`` was set.
        InvalidRunError: results can no longer be written.
    """

    def told(event: Event) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        on_event(event)

    finished = {record.trial: record for record in folder.trials()}
    failures: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for trial in plan:
        variant = (trial.model, trial.recipe, trial.runtime)
        record = finished.get(trial.trial)
        if record is None:
            if stop.is_set():
                raise KeyboardInterrupt
            on_trial(trial)
            payload = payloads[trial.model, trial.recipe]
            job_runtime = runtimes[trial.runtime]
            if len(failures[variant]) >= _FAILURES_BEFORE_SKIPPING:
                reason = f"not started after two failures in a row: {failures[variant][0]}"
                record = _failed(trial, payload, TrialError("skipped", reason), _now(), 0.0)
                folder.append(record)
            else:
                record = _run(folder, device, trial, payload, job_runtime, protocol, seed, told)
            on_record(record)
        if record.state == "valid":
            failures[variant].clear()
        elif record.code != "skipped":
            failures[variant].append(record.reason)


def _run(
    folder: RunFolder,
    device: Device,
    trial: PlannedTrial,
    payload: Payload,
    runtime: RuntimeSpec,
    protocol: MeasuringProtocol,
    seed: int,
    on_event: OnEvent,
) -> TrialRecord:
    started = _now()
    clock = time.monotonic()
    try:
        job = Job(
            protocol=contract.PROTOCOL_VERSION,
            trial=trial.trial,
            kind=trial.kind,
            model=device.push(payload.model, payload.model_sha256),
            model_sha256=payload.model_sha256,
            accelerator=runtime.accelerator,
            threads=runtime.threads,
            xnnpack=runtime.xnnpack,
            warmup_runs=protocol.warmup_runs,
            warmup_seconds=protocol.warmup_seconds,
            runs=protocol.runs,
            seconds=protocol.seconds,
            max_seconds=protocol.max_seconds,
            seed=seed,
            dataset=(
                device.push(payload.dataset, payload.dataset_sha256)
                if trial.kind == "accuracy" and payload.dataset
                else ""
            ),
            dataset_sha256=payload.dataset_sha256,
        )
        result = device.run(job, on_event, protocol.timeout_seconds)
    except TrialError as error:
        record = _failed(trial, payload, error, started, time.monotonic() - clock)
        folder.append(record)
        return record
    samples = np.array(result.samples_ns, dtype=np.int64)
    record = TrialRecord(
        **asdict(trial),
        artifact=payload.model_sha256,
        state="valid",
        started=started,
        seconds=round(time.monotonic() - clock, 6),
        samples=samples.size,
        metrics=tuple(vars(metric) for metric in result.metrics),
        predictions=result.predictions,
        delegation=result.delegation,
        warnings=result.warnings,
    )
    folder.append(record, samples)
    return record


def _failed(
    trial: PlannedTrial, payload: Payload, error: TrialError, started: str, seconds: float
) -> TrialRecord:
    return TrialRecord(
        **asdict(trial),
        artifact=payload.model_sha256,
        state="failed",
        started=started,
        seconds=round(seconds, 6),
        code=error.code,
        reason=error.reason,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
