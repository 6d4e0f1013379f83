"""Suites, runs, gates: what measures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mobilebench.api.arguments import (
    InputShapes,
    StrPath,
    device_specs,
    path_or_none,
    patience_of,
    policy_of,
    require_alone,
    shapes_by_input,
    text_or_none,
    texts,
    without_none,
)
from mobilebench.api.handle import Run
from mobilebench.api.progress import OnProgress, watcher_of
from mobilebench.errors import BadInputError

if TYPE_CHECKING:
    from mobilebench.devices.checks import DeviceCheck
    from mobilebench.devices.spec import DeviceSpec
    from mobilebench.records.runtime import Accelerator
    from mobilebench.runs.calibrate import Noise
    from mobilebench.runs.run import Watcher
    from mobilebench.runs.selection import FoundDevices
    from mobilebench.runs.verdict import GateResult
    from mobilebench.suite.policy import Policy
    from mobilebench.suite.schema import Suite


def load_suite(
    path: StrPath,
    *,
    devices: str | DeviceSpec | Sequence[str | DeviceSpec] = (),
    blocks: int | None = None,
    seconds: float | None = None,
    sustained_minutes: float | None = None,
    threads: int | None = None,
    cpus: Sequence[int] | Literal["big"] | None = None,
    seed: int | None = None,
    energy: bool | None = None,
) -> Suite:
    """Reads a suite, and puts what is given in the place of what it says.

    Args:
        path: a ``.toml`` file; the paths in it are relative to its folder.
        devices: where to measure: ``"local"``, serials, ``adb://HOST:PORT/SERIAL`` or ``"all"``.
        blocks: fresh processes for each variant.
        seconds: measured in each trial.
        sustained_minutes: length of each sustained trial.
        threads: of the one runtime that then takes the place of the suite's.
        cpus: to which every trial is kept; ``"big"``: to those of the highest capacity.
        seed: of training, calibration, inputs and order.
        energy: whether energy is measured.

    Returns:
        The suite, validated and immutable.

    Raises:
        BadInputError: there is no such suite or device, or something in it is not valid; the
            message names the key and says what would be accepted.
    """
    from mobilebench.suite import choose

    overrides = without_none(
        devices=device_specs(devices) or None,
        blocks=blocks,
        seconds=seconds,
        sustained_minutes=sustained_minutes,
        threads=threads,
        cpus=cpus,
        seed=seed,
        energy=energy,
    )
    return choose.choose_suite([Path(path)], None, [], overrides)


def run(
    what: Suite | StrPath | Sequence[StrPath] | None = None,
    *,
    results: StrPath = "results",
    devices: str | DeviceSpec | Sequence[str | DeviceSpec] = (),
    recipes: str | Sequence[str] = (),
    data: StrPath | None = None,
    task: str | None = None,
    student: StrPath | None = None,
    teachers: StrPath | Sequence[StrPath] = (),
    shapes: InputShapes = (),
    signature: str | None = None,
    blocks: int | None = None,
    seconds: float | None = None,
    sustained_minutes: float | None = None,
    threads: int | None = None,
    accelerator: Accelerator | None = None,
    cpus: Sequence[int] | Literal["big"] | None = None,
    seed: int | None = None,
    energy: bool | None = None,
    downloads: Sequence[str] = (),
    jobs: int = 1,
    allow: Sequence[DeviceCheck] = (),
    unplugged: bool = False,
    binary: StrPath | None = None,
    resume: StrPath | None = None,
    retry_failed: bool = False,
    wait_minutes: float = 0.0,
    wait_quiet_minutes: float = 0.0,
    progress: OnProgress | Watcher | None = None,
    command: Sequence[str] = (),
) -> Run:
    """Compresses and measures a suite or model files. ``Run.report`` writes the report.

    Args:
        what: a suite, the path of one (``.toml``), or model files: the first one is the model, the
            others are ready ``.tflite`` files to compare with it; files with other inputs or
            outputs are models of their own. Nothing: the quickstart suite.
        results: the folder in which the run gets its own.
        devices: where to measure, in the suite's place: ``"local"``, serials,
            ``adb://HOST:PORT/SERIAL`` or ``"all"``.
        recipes: of a model file, such as ``"prune(0.8) -> int8"``.
        data: of a model file: an ``.npz`` or ``.py`` file, or a set by name.
        task: of a model file: what it is for, as ``"segmentation"``; None: found from the labels
            and the outputs.
        student: of a model file: the smaller model that ``distill`` trains.
        teachers: of a model file: what ``distill`` learns from in the model's place.
        shapes: of a model file: of inputs that it leaves open, with the batch: by name, as
            ``{"image": [1, 224, 224, 3]}``, or of the only one, as ``[1, 224, 224, 3]``.
        signature: of a model file: which one is run; None: the first.
        blocks: fresh processes for each variant, in the suite's place, as all that follows.
        seconds: measured in each trial.
        sustained_minutes: length of each sustained trial.
        threads: of the one runtime that then takes the place of the suite's.
        accelerator: likewise.
        cpus: to which every trial is kept; ``"big"``: to those of the highest capacity.
        seed: of training, calibration, inputs and order.
        energy: whether energy is measured.
        downloads: packings whose sizes are computed beside that of gzip: ``"zstd"``, ``"xz"``.
        jobs: how many variants are compressed side by side, each in a process of its own.
        allow: checks that devices may fail; every result says so.
        unplugged: measures energy on phones, which must run on their battery.
        binary: TensorFlow's ``benchmark_model`` for the device, to measure in the agent's place.
        resume: the folder of a run to go on with, instead of ``what``.
        retry_failed: with ``resume``: repeats the trials that failed.
        wait_minutes: how long a device is waited for that somebody else measures on.
        wait_quiet_minutes: how long each device is waited for in all that other processes keep
            busy; only then a trial begins.
        progress: is given each ``Progress``.
        command: what ``run.json`` says the run was asked for by; empty: this function.

    Returns:
        The run. Trials may have failed: its summary and report say which and why.

    Raises:
        BadInputError: something cannot be had or is not valid; nothing was measured.
        InvalidRunError: the run cannot go on (every device lost or unfit, disk full); what was
            finished is kept, and ``folder`` of the error can be resumed. Where only some of several
            devices cannot be measured, the summary's warnings say which and why.
        InterruptedRunError: by Ctrl-C, likewise.
    """
    from mobilebench.runs import run as runs
    from mobilebench.runs.leases import Leases

    leases = Leases(patience_of(wait_minutes, wait_quiet_minutes))
    overrides = without_none(
        blocks=blocks,
        seconds=seconds,
        sustained_minutes=sustained_minutes,
        threads=threads,
        accelerator=accelerator,
        cpus=cpus,
        seed=seed,
        energy=True if unplugged else energy,
        downloads=downloads or None,
    )
    if resume is not None:
        require_alone("run", what=what, devices=devices, recipes=recipes, data=data,
                      student=student, teachers=teachers, shapes=shapes, signature=signature,
                      task=task, allow=allow, binary=binary, jobs=jobs if jobs != 1 else None,
                      **overrides)  # fmt: skip
        folder = runs.resume(Path(resume), watcher_of(progress), retry_failed, leases=leases)
        return Run(folder.path)
    if retry_failed:
        raise BadInputError("retry_failed repeats trials of an earlier run: name it in resume")
    if binary and (energy or unplugged):
        raise BadInputError("benchmark_model measures no energy: leave binary or energy out")
    if specs := device_specs(devices, allow, path_or_none(binary), unplugged):
        overrides["devices"] = specs
    suite = _chosen(
        what,
        overrides,
        data=text_or_none(data),
        recipes=texts(recipes),
        student=text_or_none(student),
        teachers=texts(teachers),
        shapes=shapes_by_input(shapes),
        signature=signature,
        task=task,
    )
    asked = command or ("mobilebench.run", *map(str, _files(what)))
    folder = runs.start(suite, Path(results), asked, watcher_of(progress), leases=leases, jobs=jobs)
    return Run(folder.path)


def _chosen(
    what: Suite | StrPath | Sequence[StrPath] | None, overrides: Mapping[str, Any], **of_files: Any
) -> Suite:
    from mobilebench.suite import choose
    from mobilebench.suite.schema import Suite

    if not isinstance(what, Suite):
        return choose.choose_suite(_files(what), overrides=overrides, **of_files)
    if any(of_files.values()):
        raise BadInputError(
            "a suite names its own recipes, data, task, student, teachers, shapes and signature"
        )
    return choose.change_suite(what, overrides) if overrides else what


def _files(what: Suite | StrPath | Sequence[StrPath] | None) -> list[Path]:
    if isinstance(what, str | os.PathLike | Sequence):
        return [Path(path) for path in texts(what)]
    return []


def open_run(path: StrPath) -> Run:
    """Opens a stored run.

    Raises:
        BadInputError: there is no run there, or one of a newer format.
    """
    from mobilebench.store.folder import RunFolder

    return Run(RunFolder.open(Path(path)).path)


def gate(
    baseline: Suite | StrPath | None = None,
    candidate: StrPath | None = None,
    *,
    data: StrPath | None = None,
    task: str | None = None,
    shapes: InputShapes = (),
    signature: str | None = None,
    policy: StrPath | Mapping[str, Any] | Policy | None = None,
    speed_only: bool = False,
    results: StrPath = "results",
    devices: str | DeviceSpec | Sequence[str | DeviceSpec] = (),
    seconds: float | None = None,
    threads: int | None = None,
    cpus: Sequence[int] | Literal["big"] | None = None,
    seed: int | None = None,
    energy: bool | None = None,
    jobs: int = 1,
    allow: Sequence[DeviceCheck] = (),
    unplugged: bool = False,
    resume: StrPath | None = None,
    wait_minutes: float = 0.0,
    wait_quiet_minutes: float = 0.0,
    progress: OnProgress | Watcher | None = None,
    command: Sequence[str] = (),
) -> GateResult:
    """Says whether a candidate is as good as its baseline, and writes the report of that run.

    Both are measured in one session, in blocks of random order.

    Args:
        baseline: the ``.tflite`` known to be good; or, alone, a suite or the path of one: the first
            recipe of each model is the baseline of all its other variants.
        candidate: the ``.tflite`` to be judged.
        data: labelled data of the two files; None: their answers are compared with each other.
        task: what the two files are for, as ``"segmentation"``; None: found from the labels and
            the outputs.
        shapes: of the two files: of inputs that it leaves open, with the batch: by name, as
            ``{"image": [1, 224, 224, 3]}``, or of the only one, as ``[1, 224, 224, 3]``.
        signature: of the two files: which one is run; None: the first.
        policy: the margins: a TOML file, its contents as a mapping, or a policy.
        speed_only: judges time and size alone, whatever the answers are; every output says so.
        results: the folder in which the run gets its own.
        devices: where to measure, as for ``run``.
        seconds: measured in each trial.
        threads: of the runtime.
        cpus: to which every trial is kept; ``"big"``: to those of the highest capacity.
        seed: of inputs and order.
        energy: whether energy is measured and judged.
        jobs: of a suite: how many variants are compressed side by side.
        allow: checks that devices may fail; every result says so.
        unplugged: measures energy on phones, which must run on their battery.
        resume: the folder of a gate to go on with, or to judge again, instead of ``baseline``.
        wait_minutes: how long a device is waited for that somebody else measures on.
        wait_quiet_minutes: how long each device is waited for in all that other processes keep
            busy; only then a trial begins.
        progress: is given each ``Progress``.
        command: what ``run.json`` says the gate was asked for by; empty: this function.

    Returns:
        The result: ``passed``, ``verdict`` (PASS, FAIL, INCONCLUSIVE, or INVALID where the
        candidate has other inputs or outputs or the run could not go on), each finding, and the
        run's ``folder``.

    Raises:
        BadInputError: there is nothing to compare, or something is not valid; nothing was measured.
        InterruptedRunError: by Ctrl-C; ``folder`` of the error can be resumed.
    """
    from mobilebench.report import write
    from mobilebench.runs import gate as gates

    patience = patience_of(wait_minutes, wait_quiet_minutes)
    if resume is not None:
        require_alone("gate", baseline=baseline, candidate=candidate, data=data, task=task,
                      shapes=shapes, signature=signature, policy=policy,
                      speed_only=speed_only or None, devices=devices, allow=allow, cpus=cpus,
                      seconds=seconds, threads=threads, seed=seed,
                      energy=energy, jobs=jobs if jobs != 1 else None)  # fmt: skip
        result = gates.resume(Path(resume), watcher_of(progress), patience)
    else:
        rules = policy_of(policy)
        if speed_only:
            rules = rules.speed_only()
        specs = device_specs(devices, allow, None, unplugged)
        suite = _gated(
            baseline,
            candidate,
            text_or_none(data),
            shapes_by_input(shapes),
            signature,
            task,
            _settings(specs, seconds, threads, cpus, seed, True if unplugged else energy),
        )
        asked = command or ("mobilebench.gate", *map(str, _files(baseline)), str(candidate or ""))
        result = gates.start(
            suite, rules, Path(results), asked, watcher_of(progress), patience, jobs
        )
    try:
        write.build_gate(result)
    except Exception as error:
        # A verdict must not be left beside a failure of another kind.
        gates.record_fault(result.folder, error)
        raise
    return result


def _gated(
    baseline: Suite | StrPath | None,
    candidate: StrPath | None,
    data: str | None,
    shapes: Mapping[str, Sequence[int]],
    signature: str | None,
    task: str | None,
    settings: Mapping[str, Any],
) -> Suite:
    from mobilebench.runs import pair
    from mobilebench.suite.schema import Suite

    if isinstance(baseline, str | os.PathLike) and candidate is not None:
        files = Path(baseline), Path(candidate)
        return pair.suite_of_files(*files, data, settings, shapes, signature, task)
    if candidate is None and not any((data, shapes, signature, task)):
        if isinstance(baseline, Suite):
            return pair.suite_of(baseline, settings)
        if baseline is not None and Path(baseline).suffix == ".toml":
            return pair.suite_of_file(Path(baseline), settings)
    raise BadInputError(
        "give a baseline and a candidate, or a suite alone, which names its own models and data"
    )


def _settings(
    specs: Sequence[DeviceSpec],
    seconds: float | None = None,
    threads: int | None = None,
    cpus: Sequence[int] | Literal["big"] | None = None,
    seed: int | None = None,
    energy: bool | None = None,
) -> dict[str, Any]:
    from mobilebench.runs import pair

    return pair.settings(seconds, threads, seed, specs, energy, cpus)


@dataclass(frozen=True)
class Calibration:
    """How much a model differs from itself.

    Attributes:
        run: in which that was measured.
        noise: for each device and runtime.
    """

    run: Run
    noise: tuple[Noise, ...]


def calibrate(
    model: StrPath,
    *,
    results: StrPath = "results",
    devices: str | DeviceSpec | Sequence[str | DeviceSpec] = (),
    shapes: InputShapes = (),
    signature: str | None = None,
    seconds: float | None = None,
    threads: int | None = None,
    cpus: Sequence[int] | Literal["big"] | None = None,
    energy: bool | None = None,
    allow: Sequence[DeviceCheck] = (),
    unplugged: bool = False,
    wait_minutes: float = 0.0,
    wait_quiet_minutes: float = 0.0,
    progress: OnProgress | Watcher | None = None,
    command: Sequence[str] = (),
) -> Calibration:
    """Measures how much a model differs from itself: the noise below which no gate judges.

    It is kept in the cache folder for this device, runtime, threads, CPUs and file; later gates
    with the file as their baseline take twice the noise as their margin where that is wider than
    the policy's.

    Args:
        model: a ``.tflite`` file.
        results: the folder in which the run gets its own.
        devices: where to measure, as for ``run``.
        shapes: of inputs that it leaves open, with the batch: by name, as
            ``{"image": [1, 224, 224, 3]}``, or of the only one, as ``[1, 224, 224, 3]``.
        signature: which one is run; None: the first.
        seconds: measured in each trial.
        threads: of the runtime.
        cpus: to which every trial is kept; ``"big"``: to those of the highest capacity.
        energy: whether energy is measured, too.
        allow: checks that devices may fail.
        unplugged: measures energy on phones, which must run on their battery.
        wait_minutes: how long a device is waited for that somebody else measures on.
        wait_quiet_minutes: how long each device is waited for in all that other processes keep
            busy; only then a trial begins.
        progress: is given each ``Progress``.
        command: what ``run.json`` says it was asked for by; empty: this function.

    Returns:
        The run, and the noise as standard deviations of a block's ratio (shares).

    Raises:
        BadInputError: the model or a device cannot be had; nothing was measured.
        InvalidRunError: a trial failed, or other work disturbed them; no noise was kept.
        InterruptedRunError: by Ctrl-C; no noise was kept.
    """
    from mobilebench.runs import calibrate as calibration
    from mobilebench.runs import pair

    specs = device_specs(devices, allow, None, unplugged)
    given = _settings(specs, seconds, threads, cpus, None, True if unplugged else energy)
    files = Path(model), Path(model)
    suite = pair.suite_of_files(*files, None, given, shapes_by_input(shapes), signature)
    asked = command or ("mobilebench.calibrate", os.fspath(model))
    patience = patience_of(wait_minutes, wait_quiet_minutes)
    folder, noise = calibration.calibrate(
        suite, Path(results), asked, watcher_of(progress), patience
    )
    return Calibration(Run(folder.path), noise)


def devices() -> FoundDevices:
    """Finds where models can run: this machine, connected phones and boards.

    Returns:
        The ``devices`` that were found, and ``notes`` on what is missing. A device that is not
        ``ready`` says in ``advice`` what to do about it.
    """
    from mobilebench.runs import selection

    return selection.find_devices()
