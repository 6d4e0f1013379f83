"""What a run that begins says of itself: everything but the measurements."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from mobilebench import host
from mobilebench.compress.artifact import Artifact, Outcome
from mobilebench.errors import BadInputError
from mobilebench.files import sha256_of
from mobilebench.models.hooks import Hooks
from mobilebench.records.device import BENCHMARK_MODEL, DeviceFacts
from mobilebench.records.precision import Precision
from mobilebench.records.run import (
    Provenance,
    Run,
    StoredArtifact,
    StoredDataset,
    StoredFailure,
    StoredModel,
    StoredSuite,
)
from mobilebench.records.runtime import Runtime
from mobilebench.records.trial import PlannedTrial
from mobilebench.suite.schema import Suite
from mobilebench.tflite import precision


def new_run(
    name: str,
    created: datetime,
    suite: Suite,
    command: Sequence[str],
    devices: Sequence[DeviceFacts],
    outcome: Outcome,
    plan: Sequence[PlannedTrial],
    hooks: Mapping[str, Hooks],
) -> Run:
    """A run that begins; without the folders of the user's disk.

    ``hooks`` are those of each model's data.
    """
    baselines: dict[str, str] = {}
    for model, recipe in suite.variants():
        baselines.setdefault(model.name, recipe.name)
    return Run(
        name=name,
        state="running",
        created=created.isoformat(timespec="seconds"),
        suite=StoredSuite.model_validate(_without_folders(suite)),
        seed=suite.seed,
        command=tuple(_WITHIN_ARGUMENT.sub(r"\1", word) for word in command),
        versions=host.versions(),
        host=host.facts(),
        devices=tuple(devices),
        runtimes=tuple(Runtime(**runtime.model_dump()) for runtime in suite.runtimes),
        models=tuple(
            StoredModel(
                name=model.name,
                source=_without_folder(model.source) or "",
                data=_without_folder(model.data),
                baseline=baselines[model.name],
                min_accuracy=model.min_accuracy,
                max_accuracy_loss=model.max_accuracy_loss,
                min_quality=model.min_quality,
                max_quality_loss=model.max_quality_loss,
                hooks=_names(hooks[model.name]),
                quality_unit=hooks[model.name].unit,
                quality_margin=hooks[model.name].margin,
            )
            for model in suite.models
        ),
        artifacts=tuple(map(_stored, outcome.artifacts)),
        failures=tuple(StoredFailure(**asdict(failure)) for failure in outcome.failures),
        plan=tuple(plan),
    )


def _names(hooks: Hooks) -> tuple[str, ...]:
    """The functions that take part in scoring."""
    return tuple(name for name in ("decode", "evaluate") if getattr(hooks, name) is not None)


def _stored(artifact: Artifact) -> StoredArtifact:
    evaluation = artifact.evaluation
    return StoredArtifact(
        model=artifact.model,
        recipe=artifact.recipe,
        sha256=artifact.sha256,
        sizes=dict(artifact.sizes),
        interface=artifact.interface,
        precision=_precision(artifact),
        run_as=artifact.run_as,
        dataset=StoredDataset(
            name=evaluation.name,
            sha256=evaluation.sha256,
            count=evaluation.count,
            task=evaluation.task,
            reason=evaluation.reason,
        )
        if evaluation
        else None,
        warnings=artifact.warnings,
        provenance=Provenance.model_validate(artifact.provenance),
    )


def _precision(artifact: Artifact) -> Precision | None:
    """None where the file cannot be read: its trials say what is wrong with it."""
    try:
        return precision.read(artifact.path.read_bytes(), artifact.recipe)
    except (BadInputError, OSError):
        return None


def _without_folders(suite: Suite) -> dict[str, Any]:
    document: dict[str, Any] = suite.model_dump(mode="json")
    for model in document["models"]:
        for key in ("source", "student", "data", "data_for"):
            model[key] = _without_folder(model[key])
        model["teachers"] = [_without_folder(teacher) for teacher in model["teachers"]]
        model["ready"] = {name: _without_folder(path) for name, path in model["ready"].items()}
    for device in document["devices"]:
        device["binary"] = device["binary"] and binary_name(device["binary"])
    return document


def binary_name(path: str) -> str:
    """How a program that measured is called among the run's files."""
    return f"{BENCHMARK_MODEL}-{sha256_of(Path(path))}"


#: The folders of a path in ``/a/b/c`` or ``--option=/a/b/c``.
_WITHIN_ARGUMENT = re.compile(r"^(|--[a-z-]+=)(?=[/.~]).*/(?=.)")


def _without_folder(source: str | None) -> str | None:
    """A path's last part: where it lies on the user's disk is nobody else's business."""
    return re.sub(r"^.*/", "", source) if source and not source.startswith("zoo:") else source
