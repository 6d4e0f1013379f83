"""One run from a suite to a report: compress, plan, measure, keep, report."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mobilebench_agent.contract import Event
from pydantic import ValidationError

from mobilebench import clock
from mobilebench.analysis.validity import answers_differ
from mobilebench.cache import cache_folder
from mobilebench.compress.artifact import Failure, Outcome, Progress
from mobilebench.compress.pipeline.pack import PACKERS
from mobilebench.compress.service import compress_variants
from mobilebench.devices import interrupt, kinds
from mobilebench.devices.android import current_profiles
from mobilebench.devices.base import Device, ensure_preflight
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import (
    BadInputError,
    InterruptedRunError,
    InvalidRunError,
    MobileBenchError,
)
from mobilebench.explain import explain_document
from mobilebench.files import write_atomically
from mobilebench.models.hooks import Hooks, read_hooks
from mobilebench.models.spec import REQUIREMENTS
from mobilebench.records.battery_current import CurrentProfile
from mobilebench.records.device import AGENT, DeviceFacts
from mobilebench.records.key import Key
from mobilebench.records.run import Refusal, Run
from mobilebench.records.runtime import Packing, Runtime
from mobilebench.records.trial import PlannedTrial, Trial
from mobilebench.runs import interfaces, own_code, power_profiles, runnable
from mobilebench.runs.answers import NO_EVALUATION, Evaluation
from mobilebench.runs.evaluations import evaluations
from mobilebench.runs.latency_probe import latency_probe_on
from mobilebench.runs.new_run import binary_name, new_run
from mobilebench.runs.plan import PlannedVariant, make_plan, on_emulated
from mobilebench.runs.selection import open_device
from mobilebench.runs.session import OnEvent, OnRecord, OnTrial, Payload, run_session
from mobilebench.store.folder import MANIFEST, FolderTakenError, RunFolder
from mobilebench.suite.schema import Suite

if TYPE_CHECKING:
    from mobilebench.compress.step import Report


class Watcher(Protocol):
    """Is given a run's progress."""

    def compressing(self, progress: Progress) -> None:
        """A variant is being made."""

    def not_made(self, failure: Failure) -> None:
        """A variant could not be made."""

    def refused(self, refusal: Refusal) -> None:
        """A variant is not measured in one place, because its runtime cannot run it."""

    def measuring(self, plan: Sequence[PlannedTrial], finished: Set[str], suite: Suite) -> None:
        """Trials begin; those named in ``finished`` are there already."""

    @property
    def on_trial(self) -> OnTrial:
        """Is given each trial that starts."""

    @property
    def on_event(self) -> OnEvent:
        """Is given what an agent reports."""

    @property
    def on_record(self) -> OnRecord:
        """Is given each trial that ended."""


class Quiet:
    """A watcher that says nothing."""

    def compressing(self, progress: Progress) -> None:
        """Says nothing."""

    def not_made(self, failure: Failure) -> None:
        """Says nothing."""

    def refused(self, refusal: Refusal) -> None:
        """Says nothing."""

    def measuring(self, plan: Sequence[PlannedTrial], finished: Set[str], suite: Suite) -> None:
        """Says nothing."""

    def on_trial(self, trial: PlannedTrial) -> None:
        """Says nothing."""

    def on_event(self, event: Event) -> None:
        """Says nothing."""

    def on_record(self, record: Trial) -> None:
        """Says nothing."""


#: Changes a run before anything is measured: another plan, what a gate compares.
Shape = Callable[[Run], Run]


def start(
    suite: Suite,
    results: Path,
    command: Sequence[str],
    watcher: Watcher,
    shape: Shape = lambda run: run,
) -> RunFolder:
    """Runs a suite into a new folder below ``results``.

    Args:
        suite: what to compare.
        results: where the run gets its folder.
        command: how it was asked for; kept with the run.
        watcher: is given the progress.
        shape: what a gate makes of the run, its plan above all.

    Raises:
        BadInputError: something of the suite cannot be had; nothing was written.
        InvalidRunError: the run cannot go on; what was finished is kept.
        InterruptedRunError: by Ctrl-C; what was finished is kept, and the run can be resumed.
        KeyboardInterrupt: before anything was measured; what was compressed is kept.
    """
    created = clock.moment()
    _ensure_writable(results)
    hooks = {model.name: read_hooks(model.data) for model in suite.models}
    devices = [open_device(spec) for spec in suite.devices]
    facts = [device.probe() for device in devices]
    for device in devices:
        # Before anything is made, which may take hours.
        ensure_preflight(device)
    device_facts = list(map(_recorded, suite.devices, facts))
    try:
        refusals = _refusals(suite, devices, facts, watcher)
        nowhere = _refused_everywhere(suite, refusals)
        outcome = compress_variants(
            [(m, r) for m, r in suite.variants() if (m.name, r.name) not in nowhere],
            seed=suite.seed,
            cache=cache_folder(),
            on_progress=watcher.compressing,
            latency_probe=latency_probe_on(devices[0], facts[0], suite.runtimes[0], suite.seed),
        )
    except KeyboardInterrupt as error:
        raise InterruptedRunError(
            "interrupted before anything was measured; what was compressed is in the cache: "
            "run the same command again"
        ) from error
    outcome = replace(outcome, failures=(*outcome.failures, *nowhere.values()))
    outcome, warnings = interfaces.compare_made(suite, outcome)
    for failure in outcome.failures:
        if (failure.model, failure.recipe) not in nowhere:
            watcher.not_made(failure)
    if not outcome.artifacts:
        first = outcome.failures[0]
        raise BadInputError(
            f"there is nothing to measure: {first.model} · {first.recipe}: {first.reason}"
        )
    _ensure_judged(suite, outcome)
    files = {f"{a.sha256}.tflite": a.path for a in outcome.artifacts}
    files |= {f"{e.sha256}.safetensors": e.path for a in outcome.artifacts if (e := a.evaluation)}
    files |= {binary_name(path): Path(path) for d in suite.devices if (path := d.binary)}

    def make(name: str) -> RunFolder:
        plan = _plan(name, suite, outcome, device_facts, refusals)
        run = new_run(name, created, suite, command, device_facts, outcome, plan, hooks)
        warned = run.model_copy(
            update={"warnings": (*run.warnings, *warnings), "refusals": refusals}
        )
        return RunFolder.create(results / name, shape(warned), files)

    folder = _first_free(make, f"{created:%Y%m%dT%H%M%SZ}-{suite.name}")
    own_code.note(folder.path, hooks)
    with folder.locked():
        _measure(folder, suite, devices, watcher, hooks)
    return folder


def resume(path: Path, watcher: Watcher) -> RunFolder:
    """Runs what an earlier run left undone; its finished trials stay as they are.

    Raises:
        BadInputError: there is no run to resume, or its device has changed since.
    """
    folder = RunFolder.open(path)
    run = folder.run()
    if run.state == "finished":
        return folder
    suite = _suite_of(run, path / MANIFEST)
    with folder.locked():
        _ensure_whole(folder, run)
        devices = [
            open_device(
                # The run's own copy: the user's file may be another one by now.
                spec.model_copy(update={"binary": str(folder.artifact(spec.binary))})
                if spec.binary
                else spec
            )
            for spec in suite.devices
        ]
        for device in devices:
            _ensure_same_device(device.probe(), run.device(device.name), path)
        folder.drop_torn_line()
        _measure(folder, suite, devices, watcher, own_code.noted(path))
    return folder


def _refusals(
    suite: Suite, devices: Sequence[Device], facts: Sequence[DeviceFacts], watcher: Watcher
) -> tuple[Refusal, ...]:
    """What is found of each runtime before anything is made; the user is told at once."""

    def on_question(text: str) -> None:
        watcher.compressing(Progress(0, len(suite.variants()), "", "", text))

    found = runnable.refusals(suite, devices, facts, cache_folder(), on_question)
    for refusal in found:
        watcher.refused(refusal)
    return found


def _refused_everywhere(
    suite: Suite, refusals: Sequence[Refusal]
) -> dict[tuple[str, str], Failure]:
    """The variants that no runtime of any device can run: they are not made at all."""
    places = len(suite.devices) * len(suite.runtimes)
    found: dict[tuple[str, str], list[Refusal]] = {}
    for refusal in refusals:
        found.setdefault((refusal.model, refusal.recipe), []).append(refusal)
    return {
        variant: Failure(*variant, "", refused[0].reason)
        for variant, refused in found.items()
        if len(refused) == places
    }


def _ensure_judged(suite: Suite, outcome: Outcome) -> None:
    """Refuses to measure for long what could never show whether a requirement is met."""
    for model in suite.models:
        key = next((k for k in REQUIREMENTS if getattr(model, k) is not None), None)
        made = [artifact for artifact in outcome.artifacts if artifact.model == model.name]
        if key and made and not any(a.evaluation and not a.evaluation.reason for a in made):
            raise BadInputError(
                f"model {model.name!r} asks for {key}, and without labelled data its quality "
                "cannot be measured: give it data to evaluate it on, or leave that key out"
            )


def _recorded(spec: DeviceSpec, facts: DeviceFacts) -> DeviceFacts:
    """The facts, with how the battery is read: as the suite says, or as an earlier run showed."""
    asked = spec.battery_current
    profile = (
        CurrentProfile(asked.unit, asked.discharging)
        if asked
        else current_profiles.known(facts.info)
    )
    return replace(facts, battery_current=profile, power_counter=spec.power_counter)


def _suite_of(run: Run, path: Path) -> Suite:
    """The suite of a run that is to go on; its plan must still be of that suite."""
    try:
        suite = Suite.model_validate(run.suite.document)
    except ValidationError as error:
        raise BadInputError(
            f"{path}: the run cannot be resumed: suite: {explain_document(error, Suite)}"
        ) from error
    known = {
        "device": {device.name for device in suite.devices} & {d.name for d in run.devices},
        "runtime": {runtime.name for runtime in suite.runtimes},
    }
    made = {(artifact.model, artifact.recipe) for artifact in run.artifacts}
    for number, trial in enumerate(run.plan, 1):
        for part, names in known.items():
            if (name := getattr(trial, part)) not in names:
                raise BadInputError(
                    f"{path}: the run cannot be resumed: plan[{number}].{part}: its suite has no "
                    f"{part} {name!r}"
                )
        if (trial.model, trial.recipe) not in made:
            raise BadInputError(
                f"{path}: the run cannot be resumed: plan[{number}]: there is no file of "
                f"{trial.model} · {trial.recipe}"
            )
    return suite


def exit_code(folder: RunFolder) -> int:
    """The exit code of a run: 0 all valid, 1 something failed, 4 something is invalid.

    Without a valid trial at all it is invalid, too, and where a device computes something else
    than a file says.
    """
    trials, run = folder.trials(), folder.run()
    states = {trial.state for trial in trials}
    if "valid" not in states or "invalid" in states:
        return InvalidRunError.exit_code
    least = run.suite.protocol.parity_db
    if any(answers_differ(run, Key.of(trial), trial.answers, least) for trial in trials):
        return InvalidRunError.exit_code
    return int("failed" in states or bool(run.failures) or bool(run.refusals))


def _measure(
    folder: RunFolder,
    suite: Suite,
    devices: Sequence[Device],
    watcher: Watcher,
    hooks: Mapping[str, Hooks],
) -> None:
    run = folder.run()
    plan = run.plan
    folder.write_run(run.model_copy(update={"state": "running"}))
    runtimes = {runtime.name: runtime for runtime in suite.runtimes}
    finished = {record.trial for record in folder.trials() if record.is_final}
    payloads: dict[tuple[str, str], Payload] = {}
    stop = threading.Event()

    def lane(device: Device) -> None:
        with interrupt.heeding(stop):
            run_session(
                folder,
                device,
                [trial for trial in plan if trial.device == device.name],
                payloads,
                runtimes,
                suite.protocol,
                suite.seed,
                watcher.on_trial,
                watcher.on_event,
                watcher.on_record,
                stop,
            )

    try:
        with tempfile.TemporaryDirectory(prefix="mobilebench-") as scratch:
            asked = _evaluations(folder, run, finished, hooks, Path(scratch), watcher)
            payloads |= _payloads(folder, run, suite.runtimes, asked, watcher)
            watcher.measuring(plan, finished, suite)
            alone = {spec.name for spec in suite.devices if kinds.get(spec.kind).measured_alone}
            _side_by_side(lane, devices, alone, stop)
    except BaseException as error:
        # On a full disk neither can be written; the samples' part files are read just as well.
        with contextlib.suppress(InvalidRunError):
            folder.fold_samples()
            folder.write_run(run.model_copy(update={"state": "interrupted"}))
        command = "gate" if run.gate else "run"
        resume = f"go on with: mobilebench {command} --resume {folder.path}"
        if isinstance(error, KeyboardInterrupt):
            done, total = sum(record.is_final for record in folder.trials()), len(plan)
            raise InterruptedRunError(
                f"interrupted with {done} of {total} trials finished; {resume}", folder=folder.path
            ) from error
        if isinstance(error, InvalidRunError):
            raise InvalidRunError(f"{error}; {resume}", folder=folder.path) from error
        error.add_note(resume)
        raise
    folder.fold_samples()
    power_profiles.learn(folder)
    ended = clock.now("seconds")
    folder.write_run(run.model_copy(update={"state": "finished", "finished": ended}))


def _side_by_side(
    lane: Callable[[Device], None],
    devices: Sequence[Device],
    alone: Set[str],
    stop: threading.Event,
) -> None:
    """Every device at the same time, each in a thread; what one suffers is not the others' loss.

    Devices whose names are in ``alone`` share this machine's processor: they are measured one by
    one, after the others, whose lanes would be load to them.
    """
    local = [device for device in devices if device.name in alone]
    remote = [device for device in devices if device.name not in alone]
    errors: list[BaseException] = []
    with ThreadPoolExecutor(max_workers=max(1, len(remote))) as pool:
        try:
            for group in (remote, *([device] for device in local)):
                futures = [pool.submit(lane, device) for device in group]
                wait(futures)
                errors += filter(None, (future.exception() for future in futures))
        except BaseException:
            stop.set()
            raise
    if errors:
        # A fault of ours is not hidden behind what a device had.
        raise min(errors, key=lambda error: isinstance(error, MobileBenchError))


def _plan(
    run: str,
    suite: Suite,
    outcome: Outcome,
    facts: Sequence[DeviceFacts],
    refusals: Sequence[Refusal],
) -> tuple[PlannedTrial, ...]:
    refused = {(r.device, r.runtime, r.model, r.recipe) for r in refusals}
    variants = [PlannedVariant(artifact.model, artifact.recipe) for artifact in outcome.artifacts]
    runtimes = [runtime.name for runtime in suite.runtimes]
    plan = (
        trial
        for device in suite.devices
        for trial in make_plan(
            run,
            device.name,
            variants,
            runtimes,
            suite.protocol.blocks,
            suite.seed,
            suite.protocol.energy,
        )
        # TensorFlow's program measures latency alone.
        if (suite.executor == AGENT or trial.kind == "latency")
        and (trial.device, trial.runtime, trial.model, trial.recipe) not in refused
    )
    return on_emulated(plan, {device.name for device in facts if device.emulated})


def _evaluations(
    folder: RunFolder,
    run: Run,
    finished: Set[str],
    hooks: Mapping[str, Hooks],
    scratch: Path,
    watcher: Watcher,
) -> dict[tuple[str, str], Evaluation]:
    """What is asked of each variant that has an outputs trial to come."""
    pending = {
        (trial.model, trial.recipe)
        for trial in run.plan
        if trial.kind == "outputs" and trial.trial not in finished
    }

    def on_reference(done: int, count: int) -> None:
        step = "done" if done == count else f"reference answers {done + 1}/{count}"
        made = len(run.artifacts)
        watcher.compressing(Progress(made, made, "", "", step, fraction=done / count))

    return evaluations(folder, run, pending, hooks, scratch, on_reference)


def _payloads(
    folder: RunFolder,
    run: Run,
    runtimes: Sequence[Runtime],
    asked: Mapping[tuple[str, str], Evaluation],
    watcher: Watcher,
) -> dict[tuple[str, str], Payload]:
    packings = {runtime.packed for runtime in runtimes if runtime.packed}
    payloads = {}
    count = len(run.artifacts)

    def reporting(number: int, place: int) -> Report:
        """Is given how much of one file is packed, and reports how much of all."""
        before = number + place / len(packings)

        def report(done: int, total: int) -> None:
            fraction = (before + done / total / len(packings)) / count
            step = f"pack {number}/{count}"
            watcher.compressing(Progress(count, count, "", "", step, fraction=fraction))

        report(0, 1)
        return report

    for number, artifact in enumerate(run.artifacts):
        model = folder.artifact(f"{artifact.sha256}.tflite")
        variant = (artifact.model, artifact.recipe)
        payloads[variant] = Payload(
            model,
            artifact.sha256,
            asked.get(variant, NO_EVALUATION),
            {
                packing: _packed(model, packing, reporting(number, place))
                for place, packing in enumerate(sorted(packings))
            },
        )
    if packings:
        watcher.compressing(Progress(count, count, "", "", "done"))
    return payloads


def _packed(model: Path, packing: Packing, report: Report) -> tuple[Path, str]:
    """The model's packed file beside it, which is made now if need be, and its hash."""
    pack, suffix = PACKERS[packing]
    path = model.with_name(model.name + suffix)
    if not path.exists():
        write_atomically(path, pack(model.read_bytes(), report))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def _first_free(make: Callable[[str], RunFolder], run: str) -> RunFolder:
    """A new folder named after the run; of several runs in one second the later get numbers."""
    for number in itertools.count(1):
        try:
            return make(run if number == 1 else f"{run}-{number}")
        except FolderTakenError:
            continue
    raise AssertionError("numbers do not end")


def _ensure_whole(folder: RunFolder, run: Run) -> None:
    """Sees that the run still has its own files, before trials fail for want of them."""
    files = {f"{artifact.sha256}.tflite": artifact.sha256 for artifact in run.artifacts}
    for artifact in run.artifacts:
        if data := artifact.dataset:
            older = folder.artifact(f"{data.sha256}.npz").exists()
            files[f"{data.sha256}.{'npz' if older else 'safetensors'}"] = data.sha256
    for name, sha256 in files.items():
        path = folder.artifact(name)
        try:
            with path.open("rb") as file:
                whole = hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError:
            whole = False
        if not whole:
            raise BadInputError(
                f"{path} is missing or damaged, and the run cannot go on without it: "
                "put it back, or start a new run"
            )


def _ensure_writable(results: Path) -> None:
    """Finds out before an hour of work, not after it, that results cannot be kept."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=results):
            pass
    except OSError as error:
        raise BadInputError(
            f"cannot write results to {results}: {error.strerror}; "
            "choose a writable folder with --results"
        ) from error


#: What of a device's own words must not change within a run.
_IDENTITY = ("machine", "cpu", "cores", "board", "model", "serial")


def _identity(device: DeviceFacts) -> dict[str, Any]:
    return {
        "agent": device.agent,
        "runtime": device.runtime,
        "runtime_version": device.runtime_version,
        **{key: device.info.get(key) for key in _IDENTITY},
    }


def _ensure_same_device(now: DeviceFacts, before: DeviceFacts | None, path: Path) -> None:
    if before is None:
        raise BadInputError(f"{path} has no device {now.name!r}: start a new run")
    found_now = _identity(now)
    for key, value in _identity(before).items():
        found = found_now[key]
        if found != value:
            raise BadInputError(
                f"{path} was measured with {key} {value}, and device {before.name!r} now has "
                f"{found}: start a new run, their numbers do not belong together"
            )
