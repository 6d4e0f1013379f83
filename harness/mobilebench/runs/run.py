"""One run from a suite to a report: compress, plan, measure, keep, report."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from mobilebench_agent.contract import Event
from pydantic import ValidationError

from mobilebench import clock
from mobilebench.analysis.validity import answers_differ
from mobilebench.cache import cache_folder
from mobilebench.compress.artifact import Failure, Outcome, Progress
from mobilebench.compress.pipeline.pack import PACKERS
from mobilebench.compress.service import compress_variants
from mobilebench.devices import kinds
from mobilebench.devices.spec import DeviceSpec
from mobilebench.errors import (
    BadInputError,
    DeviceError,
    InterruptedRunError,
    InvalidRunError,
    MobileBenchError,
)
from mobilebench.explain import explain_document
from mobilebench.files import sha256_of, write_atomically
from mobilebench.models.hooks import Hooks, read_hooks
from mobilebench.models.spec import REQUIREMENTS
from mobilebench.records.device import AGENT, DeviceFacts
from mobilebench.records.key import Key
from mobilebench.records.run import Refusal, Run
from mobilebench.records.runtime import Packing, Runtime
from mobilebench.records.trial import PlannedTrial, Trial
from mobilebench.runs import cleaning, interfaces, lanes, own_code, power_profiles, runnable
from mobilebench.runs.answers import NO_EVALUATION, Evaluation
from mobilebench.runs.evaluations import evaluations
from mobilebench.runs.lanes import Lane
from mobilebench.runs.latency_probe import latency_probe_on
from mobilebench.runs.leases import Leases
from mobilebench.runs.new_run import binary_name, new_run
from mobilebench.runs.plan import PlannedVariant, make_plan, on_emulated
from mobilebench.runs.selection import open_device
from mobilebench.runs.session import (
    OnEvent,
    OnRecord,
    OnTrial,
    Payload,
    RemoteMaker,
    RemoteSession,
    run_session,
)
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
    whole: bool = False,
    leases: Leases | None = None,
    jobs: int = 1,
) -> RunFolder:
    """Runs a suite into a new folder below ``results``.

    Args:
        suite: what to compare.
        results: where the run gets its folder.
        command: how it was asked for; kept with the run.
        watcher: is given the progress.
        shape: what a gate makes of the run, its plan above all.
        whole: whether one device that cannot be measured ends the run; else it is missing.
        leases: how devices are had; entered by the caller, they are kept until it is left. None:
            nobody is waited for.
        jobs: how many variants are compressed side by side.

    Raises:
        BadInputError: something of the suite cannot be had; nothing was written.
        InvalidRunError: the run cannot go on; what was finished is kept.
        InterruptedRunError: by Ctrl-C; what was finished is kept, and the run can be resumed.
        KeyboardInterrupt: before anything was measured; what was compressed is kept.
    """
    with leases or Leases() as held:
        folder = _start(suite, results, command, watcher, shape, whole, held, jobs)
    cleaning.keep_to_limit()
    return folder


def _start(
    suite: Suite,
    results: Path,
    command: Sequence[str],
    watcher: Watcher,
    shape: Shape,
    whole: bool,
    leases: Leases,
    jobs: int,
) -> RunFolder:
    created = clock.moment()
    _ensure_writable(results)
    hooks = {model.name: read_hooks(model.data) for model in suite.models}
    # Before anything is made, which may take hours.
    found, problems = lanes.look(suite.devices, open_device, leases, _waiting(suite, watcher))
    if problems and (whole or not found):
        raise lanes.refusal(problems)
    _ensure_scored_here(hooks, found)
    device_facts = [power_profiles.recorded(lane.spec, lane.facts) for lane in found]
    try:
        refusals = _refusals(suite, found, watcher)
        nowhere = _refused_everywhere(suite, refusals)
        wanted = [(m, r) for m, r in suite.variants() if (m.name, r.name) not in nowhere]
        for maker in [lane.device for lane in found if isinstance(lane.device, RemoteMaker)][:1]:
            maker.make_variants(
                wanted, suite.seed, cache_folder(), watcher.compressing, suite.packings
            )
        outcome = compress_variants(
            wanted,
            seed=suite.seed,
            cache=cache_folder(),
            on_progress=watcher.compressing,
            latency_probe=latency_probe_on(
                found[0].device, found[0].facts, suite.runtimes[0], suite.seed
            ),
            packings=suite.packings,
            at_once=jobs,
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
            update={
                "warnings": (*run.warnings, *warnings, *leases.warnings()),
                "refusals": refusals,
                "missing": lanes.missing(problems),
            }
        )
        return RunFolder.create(results / name, shape(warned), files)

    folder = _first_free(make, f"{created:%Y%m%dT%H%M%SZ}-{suite.name}")
    own_code.note(folder.path, hooks, _suite_of(folder.run(), folder.path / MANIFEST).devices)
    with folder.locked():
        _measure(folder, suite, found, problems, watcher, hooks, whole, leases)
    return folder


def resume(
    path: Path,
    watcher: Watcher,
    retry_failed: bool = False,
    whole: bool = False,
    leases: Leases | None = None,
) -> RunFolder:
    """Runs what an earlier run left undone; its finished trials stay as they are.

    Only devices with something left to do are asked for. One that is not there, or is unfit, is
    missing from the run as it would be from a new one.

    Args:
        path: the run's folder.
        watcher: is given the progress.
        retry_failed: whether trials that failed are repeated.
        whole: whether one device that cannot be measured ends the run; else it is missing.
        leases: as of ``start``.

    Raises:
        BadInputError: there is no run to resume, or no device to go on with.
        InvalidRunError, InterruptedRunError: as ``start``.
        UntrustedRunError: it is somebody else's, and would start programs of its choice.
    """
    folder = RunFolder.open(path)
    run = folder.run()
    again = {t.trial for t in folder.trials() if retry_failed and t.state == "failed"}
    if run.state == "finished" and not again:
        return folder
    suite = _suite_of(run, path / MANIFEST)
    own_code.ensure_trusted(path, suite.devices)
    with folder.locked(), leases or Leases() as held:
        _ensure_whole(folder, run)
        folder.drop_torn_line()
        finished = {record.trial for record in folder.trials() if record.is_final} - again
        left = {trial.device for trial in run.plan if trial.trial not in finished}
        specs = [_reached(s, run, folder) for s in suite.devices if s.name in left]

        def check(facts: DeviceFacts) -> None:
            if before := run.device(facts.name):
                _ensure_same_device(facts, before, path)

        found, problems = lanes.look(specs, open_device, held, _waiting(suite, watcher), check)
        if problems and (whole or not found):
            raise lanes.refusal(problems)
        new = [
            power_profiles.recorded(lane.spec, lane.facts)
            for lane in found
            if not run.device(lane.spec.name)
        ]
        if new:
            # They were missing when the run began.
            folder.write_run(run.model_copy(update={"devices": (*run.devices, *new)}))
        _measure(folder, suite, found, problems, watcher, own_code.noted(path), whole, held, again)
    return folder


def _reached(spec: DeviceSpec, run: Run, folder: RunFolder) -> DeviceSpec:
    """A run's device as it is reached now, with the run's own copy of its program."""
    update: dict[str, Any] = {}
    if spec.binary:
        # The user's file may be another one by now.
        update["binary"] = str(folder.artifact(spec.binary))
    before = run.device(spec.name)
    identity = before.info.get("serialno") if before else None
    if isinstance(identity, str) and identity:
        given = spec.address or str(before.info.get("serial", "")) if before else spec.address
        update["address"] = kinds.get(spec.kind).found_again(given, identity)
    return spec.model_copy(update=update) if update else spec


def ensure_trusted(path: Path) -> None:
    """Sees that to resume a run starts nothing that this user does not know of.

    Raises:
        BadInputError: there is no such run.
        UntrustedRunError: its devices do.
    """
    run = RunFolder.open(path).run()
    if run.state != "finished":
        own_code.ensure_trusted(path, _suite_of(run, path / MANIFEST).devices)


def trust(path: Path) -> None:
    """Agrees to what the devices of somebody else's run start, so that it can be resumed here.

    Raises:
        BadInputError: there is no such run.
    """
    run = RunFolder.open(path).run()
    own_code.trust(path, _suite_of(run, path / MANIFEST).devices)


def _waiting(suite: Suite, watcher: Watcher) -> Callable[[str], None]:
    """Reports what is waited for before anything is made."""
    count = len(suite.variants())
    return lambda text: watcher.compressing(Progress(0, count, "", "", text))


def _refusals(suite: Suite, found: Sequence[Lane], watcher: Watcher) -> tuple[Refusal, ...]:
    """What is found of each runtime before anything is made; the user is told at once."""
    there = suite.model_copy(update={"devices": tuple(lane.spec for lane in found)})
    devices, facts = [lane.device for lane in found], [lane.facts for lane in found]
    refusals = runnable.refusals(there, devices, facts, cache_folder(), _waiting(suite, watcher))
    for refusal in refusals:
        watcher.refused(refusal)
    return refusals


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


def _ensure_scored_here(hooks: Mapping[str, Hooks], found: Sequence[Lane]) -> None:
    """Refuses what a lab cannot score, before models are compressed for hours."""
    there = [lane.spec.name for lane in found if isinstance(lane.device, RemoteSession)]
    scored = [name for name, of in hooks.items() if of.decode or of.evaluate]
    if there and scored:
        raise BadInputError(
            f"{', '.join(there)}: the answers of {', '.join(scored)} are scored by functions of a "
            "file that is here: such models are measured on this machine's own devices"
        )


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


def _suite_of(run: Run, path: Path) -> Suite:
    """The suite of a run that is to go on; its plan must still be of that suite."""
    try:
        suite = Suite.model_validate(run.suite.document)
    except ValidationError as error:
        raise BadInputError(
            f"{path}: the run cannot be resumed: suite: {explain_document(error, Suite)}"
        ) from error
    known = {
        "device": {device.name for device in suite.devices},
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
    unfit = any(missing.code != "unavailable" for missing in run.missing)
    if "valid" not in states or "invalid" in states or unfit:
        return InvalidRunError.exit_code
    least = run.suite.protocol.parity_db
    if any(answers_differ(run, Key.of(trial), trial.answers, least) for trial in trials):
        return InvalidRunError.exit_code
    return int("failed" in states or bool(run.failures or run.refusals or run.missing))


def _measure(
    folder: RunFolder,
    suite: Suite,
    found: Sequence[Lane],
    problems: Mapping[str, MobileBenchError],
    watcher: Watcher,
    hooks: Mapping[str, Hooks],
    whole: bool,
    leases: Leases,
    again: Set[str] = frozenset(),
) -> None:
    """Measures in every lane, and keeps which devices are missing.

    Those are the ones with ``problems``, and those whose lane broke off.

    Raises:
        InvalidRunError: no lane came to its end, or the run's own files cannot be used.
    """
    run = folder.run()
    problems = dict(problems)
    there = {lane.spec.name for lane in found}
    plan = [trial for trial in run.plan if trial.device in there]
    run = run.model_copy(update={"state": "running", "missing": lanes.missing(problems)})
    folder.write_run(run)
    runtimes = {runtime.name: runtime for runtime in suite.runtimes}
    finished = {record.trial for record in folder.trials() if record.is_final} - again
    payloads: dict[tuple[str, str], Payload] = {}
    stop = threading.Event()

    elsewhere = {lane.spec.name for lane in found if isinstance(lane.device, RemoteSession)}
    here = run.model_copy(update={"plan": tuple(t for t in plan if t.device not in elsewhere)})

    def measure(lane: Lane) -> None:
        own = [trial for trial in plan if trial.device == lane.spec.name]
        try:
            if isinstance(lane.device, RemoteSession):
                lane.device.carry_out(folder, own, again, watcher.on_trial, watcher.on_record, stop)
                return
            run_session(
                folder,
                lane.device,
                own,
                payloads,
                runtimes,
                suite.protocol,
                suite.seed,
                watcher.on_trial,
                watcher.on_event,
                watcher.on_record,
                stop,
                again,
                leases,
            )
        finally:
            leases.release(lane.device.name)

    try:
        with tempfile.TemporaryDirectory(prefix="mobilebench-") as scratch:
            payloads |= _prepared(
                folder, here, suite.runtimes, finished, hooks, Path(scratch), watcher
            )
            watcher.measuring(plan, finished, suite)
            by_name = {lane.spec.name: lane for lane in found}
            _, errors = lanes.side_by_side(measure, by_name, lanes.alone(suite.devices), stop)
            broken = {n: e for n, e in errors.items() if isinstance(e, DeviceError)}
            problems |= broken
            if faults := [e for e in errors.values() if not isinstance(e, DeviceError)]:
                # A fault of ours is not hidden behind one of the host.
                raise min(faults, key=lambda error: isinstance(error, MobileBenchError))
            if broken and (whole or len(broken) == len(found)):
                raise lanes.refusal(broken)
    except BaseException as error:
        run = run.model_copy(update={"missing": lanes.missing(problems)})
        # On a full disk neither can be written; the samples' part files are read just as well.
        with contextlib.suppress(InvalidRunError):
            folder.fold_samples()
            folder.write_run(run.model_copy(update={"state": "interrupted"}))
        _raise_resumable(error, folder, run, len(plan))
    folder.fold_samples()
    power_profiles.learn(folder)
    ended: dict[str, Any] = {"state": "finished", "finished": clock.now("seconds")}
    if problems:
        ended = {"state": "interrupted", "missing": lanes.missing(problems)}
    folder.write_run(run.model_copy(update=ended))


def _raise_resumable(error: BaseException, folder: RunFolder, run: Run, total: int) -> NoReturn:
    """Raises what ended a run, with the command that goes on with it."""
    command = "gate" if run.gate else "run"
    resume = f"go on with: mobilebench {command} --resume {folder.path}"
    if isinstance(error, KeyboardInterrupt):
        done = sum(record.is_final for record in folder.trials())
        raise InterruptedRunError(
            f"interrupted with {done} of {total} trials finished; {resume}", folder=folder.path
        ) from error
    if isinstance(error, DeviceError):
        raise DeviceError(f"{error}; {resume}", error.code, folder=folder.path) from error
    if isinstance(error, InvalidRunError):
        raise InvalidRunError(f"{error}; {resume}", folder=folder.path) from error
    error.add_note(resume)
    raise error


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


def _prepared(
    folder: RunFolder,
    run: Run,
    runtimes: Sequence[Runtime],
    finished: Set[str],
    hooks: Mapping[str, Hooks],
    scratch: Path,
    watcher: Watcher,
) -> dict[tuple[str, str], Payload]:
    """The files that each variant of the plan needs; none where nothing is measured from here."""
    if not run.plan:
        return {}
    asked = _evaluations(folder, run, finished, hooks, scratch, watcher)
    return _payloads(folder, run, runtimes, asked, watcher)


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
    return path, sha256_of(path)


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
            whole = sha256_of(path) == sha256
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
_IDENTITY = ("machine", "cpu", "cores", "board", "model")


def _identity(device: DeviceFacts, other: DeviceFacts) -> dict[str, Any]:
    # A phone is the same by cable and over the air, under another serial of adb's.
    known = device.info.get("serialno") and other.info.get("serialno")
    return {
        "agent": device.agent,
        "runtime": device.runtime,
        "runtime_version": device.runtime_version,
        **{key: device.info.get(key) for key in _IDENTITY},
        "serial": device.info.get("serialno" if known else "serial"),
    }


def _ensure_same_device(now: DeviceFacts, before: DeviceFacts, path: Path) -> None:
    found_now = _identity(now, before)
    for key, value in _identity(before, now).items():
        found = found_now[key]
        if found != value:
            raise BadInputError(
                f"{path} was measured with {key} {value}, and device {before.name!r} now has "
                f"{found}: start a new run, their numbers do not belong together"
            )
