"""A baseline and a candidate of one model: as a suite, and as blocks of trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mobilebench.errors import BadInputError
from mobilebench.records.run import Run
from mobilebench.records.trial import PlannedTrial
from mobilebench.runs.plan import PlannedVariant, make_gate_plan, on_emulated
from mobilebench.suite.schema import Suite, read_suite, validate
from mobilebench.text import file_name

BASELINE, CANDIDATE = "baseline", "candidate"


def suite_of_files(
    baseline: Path,
    candidate: Path,
    data: str | None = None,
    settings: Mapping[str, Any] = {},
    shapes: Mapping[str, Sequence[int]] = {},
    signature: str | None = None,
    task: str | None = None,
) -> Suite:
    """The suite that compares two ``.tflite`` files as they are.

    Args:
        baseline: the file that is known to be good.
        candidate: the file that is to be as good.
        data: labelled data, as a suite's ``data``; None: answers are compared with each other.
        settings: see ``settings``.
        shapes: of inputs with open dimensions, see ``mobilebench.models.spec.ModelSpec``.
        signature: which one is run.
        task: what the model is for; None: found from labels and outputs.

    Raises:
        BadInputError: a file is not there or no ``.tflite``, or a setting is not valid.
    """
    for role, path in ((BASELINE, baseline), (CANDIDATE, candidate)):
        if not path.is_file():
            raise BadInputError(f"the {role} {path} does not exist")
        if path.suffix != ".tflite":
            raise BadInputError(
                f"the {role} {path} is no .tflite file: convert it first (mobilebench compress), "
                "or gate a suite file, which can hold any model"
            )
    model = {
        "name": baseline.stem,
        "source": str(baseline),
        "recipes": [{"name": BASELINE, "recipe": "as_is"}],
        "ready": {CANDIDATE: str(candidate)},
        "shapes": {name: list(shape) for name, shape in shapes.items()},
        "signature": signature,
        "task": task,
        **({"data": data} if data else {}),
    }
    document = {"name": file_name(f"gate-{candidate.stem}")[:60], "models": [model]}
    return validate(_changed(document, settings), "this gate", Path())


def suite_of_file(path: Path, settings: Mapping[str, Any] = {}) -> Suite:
    """The suite of a TOML file, with some of its keys replaced, see ``settings``.

    Raises:
        BadInputError: there is no such suite, or it is not valid.
    """
    return validate(_changed(read_suite(path), settings), str(path), path.parent)


def suite_of(suite: Suite, settings: Mapping[str, Any] = {}) -> Suite:
    """The suite with some of its keys replaced, see ``settings``.

    Raises:
        BadInputError: a setting is not valid.
    """
    if not settings:
        return suite
    return validate(_changed(suite.model_dump(), settings), f"suite {suite.name!r}", Path())


def _changed(document: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A suite's document with those keys replaced; ``cpus`` goes to every runtime."""
    changed = {**document, **settings}
    if isinstance(document.get("protocol"), dict) and "protocol" in settings:
        changed["protocol"] = {**document["protocol"], **settings["protocol"]}
    if cpus := changed.pop("cpus", None):
        runtimes = changed.get("runtimes") or [{"name": "cpu-1"}]
        changed["runtimes"] = [{**runtime, "cpus": cpus} for runtime in runtimes]
    return changed


def settings(
    seconds: float | None,
    threads: int | None,
    seed: int | None,
    devices: Sequence[Any],
    energy: bool | None = None,
    cpus: Sequence[int] | Literal["big"] | None = None,
) -> dict[str, Any]:
    """A suite's keys for what a command line gives (``seconds`` measured per trial).

    ``cpus`` is none of a suite's own keys: it is for each runtime that the suite will have.
    """
    found: dict[str, Any] = {}
    protocol: dict[str, Any] = {}
    if seconds is not None:
        protocol = {"seconds": seconds, "warmup_seconds": min(0.5, seconds)}
    if energy is not None:
        protocol["energy"] = energy
    if protocol:
        found["protocol"] = protocol
    if threads is not None:
        found["runtimes"] = [{"name": f"cpu-{threads}", "threads": threads}]
    if cpus:
        found["cpus"] = cpus
    if seed is not None:
        found["seed"] = seed
    if devices:
        found["devices"] = [device.model_dump() for device in devices]
    return found


def ensure_bursts(suite: Suite) -> None:
    """Raises BadInputError for a suite in sustained mode: a gate compares many short trials."""
    if suite.protocol.sustained_minutes is not None:
        raise BadInputError(
            "a gate compares short trials in turns, and this suite asks for sustained ones: take "
            "sustained_minutes out of its protocol, or use mobilebench run"
        )


def plan(run: Run, blocks: int, kinds: Sequence[str]) -> tuple[PlannedTrial, ...]:
    """The trials of all models that have a baseline and a candidate.

    Args:
        run: what was made, and where it is measured.
        blocks: how many times each variant is run.
        kinds: what is measured.
    """
    made = {(artifact.model, artifact.recipe) for artifact in run.artifacts}
    baselines = {model.name: model.baseline for model in run.models}
    counts = {name: sum(model == name for model, _ in made) for name in baselines}
    variants = [
        PlannedVariant(artifact.model, artifact.recipe)
        for artifact in run.artifacts
        if counts.get(artifact.model, 0) > 1 and (artifact.model, baselines[artifact.model]) in made
    ]
    runtimes = [runtime.name for runtime in run.runtimes]
    whole = (
        trial
        for device in run.devices
        for trial in make_gate_plan(
            run.name, device.name, variants, runtimes, blocks, run.seed, kinds
        )
        if trial.recipe not in run.refusals_at(trial.model, trial.device, trial.runtime)
    )
    return on_emulated(whole, {device.name for device in run.devices if device.emulated})
