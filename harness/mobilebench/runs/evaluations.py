"""What each variant of a run is evaluated on in its ``outputs`` trials: its data, or seeded noise.

Where a model has no data, all its variants answer the same noise, so that they can be compared.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from mobilebench.cache import cache_folder
from mobilebench.devices.local.device import LocalDevice
from mobilebench.errors import BadInputError, StepError
from mobilebench.files import disk_errors
from mobilebench.models.array import Array
from mobilebench.models.hooks import Hooks
from mobilebench.records.interface import Interface, matched
from mobilebench.records.run import Run, StoredArtifact, StoredModel
from mobilebench.runs import references
from mobilebench.runs import samples as batches
from mobilebench.runs.answers import NO_HOOKS, Evaluation
from mobilebench.runs.references import Reference, reference
from mobilebench.runs.samples import Samples
from mobilebench.store.folder import RunFolder
from mobilebench.tflite import interface
from mobilebench.tflite.noise import noise

#: A variant: model and recipe.
Variant = tuple[str, str]

#: Is given how many reference answers are made, of how many.
OnReference = Callable[[int, int], None]


def evaluations(
    folder: RunFolder,
    run: Run,
    pending: Set[Variant],
    hooks: Mapping[str, Hooks],
    scratch: Path,
    on_reference: OnReference,
) -> dict[Variant, Evaluation]:
    """What the variants are evaluated on that have not answered yet, with their reference answers.

    Args:
        folder: of the run.
        run: what was made.
        pending: the variants whose answers are still to come.
        hooks: of each model's data, as far as a run that is resumed may run them.
        scratch: where noise and reference answers are kept while the run is measured.
        on_reference: is given the progress.
    """
    found: dict[Variant, Evaluation] = {}
    for model in run.models:
        made = [artifact for artifact in run.artifacts if artifact.model == model.name]
        if any((artifact.model, artifact.recipe) in pending for artifact in made):
            found |= _of_model(folder, run.seed, model, made, hooks.get(model.name), scratch)
    found = {variant: evaluation for variant, evaluation in found.items() if variant in pending}
    files = {(artifact.model, artifact.recipe): artifact.sha256 for artifact in run.artifacts}
    machine = Machine()
    for number, (variant, evaluation) in enumerate(found.items()):
        on_reference(number, len(found))
        model_file = folder.artifact(f"{files[variant]}.tflite")
        answers = machine.reference(model_file, files[variant], evaluation)
        kept = _kept(answers, scratch / f"reference-{number}")
        found[variant] = replace(evaluation, reference=kept)
    if found:
        on_reference(len(found), len(found))
    return found


def _kept(reference: Reference, folder: Path) -> Reference:
    """The reference answers as the run's own: a cache may be cleared before they are needed."""
    if not reference.files:
        return reference
    with disk_errors(folder):
        folder.mkdir()
        files = tuple(folder / file.name for file in reference.files)
        for file, own in zip(reference.files, files, strict=True):
            try:
                own.hardlink_to(file)
            except OSError:  # another disk
                shutil.copyfile(file, own)
    return replace(reference, files=files)


@dataclass
class Machine:
    """This machine, which makes reference answers; it is greeted when it is first needed."""

    _device: LocalDevice | None = None
    _version: str = ""
    _missing: str = ""

    def reference(self, model: Path, sha256: str, evaluation: Evaluation) -> Reference:
        """A file's reference answers to its samples; where there are none, it says why."""
        if evaluation.samples is None or evaluation.interface is None:
            return Reference(reason=evaluation.reason)
        if self._device is None and not self._missing:
            try:
                self._device = LocalDevice("this machine", None, cache_folder())
                facts = self._device.probe()
                self._version = facts.library
            except BadInputError as error:
                self._missing = f"no reference answers: {error}"
        if self._missing or self._device is None:
            return Reference(reason=self._missing)
        try:
            return reference(
                self._device,
                self._version,
                model,
                sha256,
                evaluation.interface,
                evaluation.samples,
                cache_folder(),
            )
        except BadInputError as error:
            return Reference(reason=f"no reference answers: {error}")


def _of_model(
    folder: RunFolder,
    seed: int,
    model: StoredModel,
    made: Sequence[StoredArtifact],
    hooks: Hooks | None,
    scratch: Path,
) -> dict[Variant, Evaluation]:
    interfaces: dict[Variant, Interface] = {}
    found: dict[Variant, Evaluation] = {}
    for artifact in made:
        variant = (artifact.model, artifact.recipe)
        try:
            interfaces[variant] = _interface(folder, artifact)
        except (BadInputError, OSError) as error:
            found[variant] = Evaluation(reason=str(error))
            continue
        if samples := _data(folder, artifact):
            if model.hooks and hooks is None:
                samples = replace(samples, reason=_without_hooks(model))
            asked = Evaluation(interfaces[variant], samples, hooks=hooks or NO_HOOKS)
            found[variant] = asked
    bare = {variant: taken for variant, taken in interfaces.items() if variant not in found}
    return found | _noise(folder, seed, made, bare, interfaces, scratch)


def _interface(folder: RunFolder, artifact: StoredArtifact) -> Interface:
    if artifact.interface is not None:
        return artifact.interface
    path = folder.artifact(f"{artifact.sha256}.tflite")
    return interface.read(path.read_bytes(), str(path))


def _data(folder: RunFolder, artifact: StoredArtifact) -> Samples | None:
    stored = artifact.dataset
    if stored is None:
        return None
    path = folder.artifact(f"{stored.sha256}.safetensors")
    if not path.exists():  # an older version's: labelled, and of one input
        return None
    return Samples(path, stored.sha256, stored.count, "data", stored.task, stored.reason)


def _without_hooks(model: StoredModel) -> str:
    functions = " and ".join(f"{name}()" for name in model.hooks)
    return (
        f"{functions} of {model.data} would take part, and a resumed run runs only code that it "
        "was begun with by the same user, in the same folder, and that has not changed: start a "
        "new run to have quality measured"
    )


def _noise(
    folder: RunFolder,
    seed: int,
    made: Sequence[StoredArtifact],
    bare: Mapping[Variant, Interface],
    interfaces: Mapping[Variant, Interface],
    scratch: Path,
) -> dict[Variant, Evaluation]:
    """Noise for the variants without data, drawn for all variants of the model."""
    if not bare:
        return {}
    all_of_them = list(interfaces.values())
    first = all_of_them[0]
    alike = [taken for taken in all_of_them if len(taken.inputs) == len(first.inputs)]
    try:
        rows = _table_rows(folder, made, first)
        drawn = noise(alike, references.COUNT, seed, rows)
    except StepError as error:
        return {variant: Evaluation(taken, reason=str(error)) for variant, taken in bare.items()}
    path, digest = batches.write_inputs(scratch, drawn)
    found = {}
    for variant, taken in bare.items():
        if len(taken.inputs) != len(first.inputs):
            reason = f"it has {len(taken.inputs)} inputs, and {len(first.inputs)} are asked"
            found[variant] = Evaluation(taken, reason=reason)
            continue
        turned = _reordered(drawn, first, taken)
        if any(turned[name] is not drawn[name] for name in drawn):
            own, _ = batches.write_inputs(scratch, turned)
        else:
            own = path
        samples = Samples(own, digest, references.COUNT, "noise")
        found[variant] = Evaluation(taken, samples)
    return found


def _table_rows(
    folder: RunFolder, made: Sequence[StoredArtifact], taken: Interface
) -> dict[int, int]:
    """How many rows each table has that an input looks up, where inputs can be such numbers."""
    from mobilebench.tflite.interpreter import Runner

    if not any(end.is_whole and end.quantization is None for end in taken.inputs):
        return {}
    found: dict[int, int] = {}
    for artifact in made:
        content = folder.artifact(f"{artifact.sha256}.tflite").read_bytes()
        try:
            rows = Runner(content, delegate=False).table_rows
        except StepError:  # this machine cannot run it; the device may
            continue
        for position, count in rows.items():
            found[position] = min(count, found.get(position, count))
    return found


def _reordered(drawn: Mapping[str, Array], first: Interface, taken: Interface) -> dict[str, Array]:
    """The first variant's samples by another's positions: converters shuffle inputs."""
    places = {id(end): position for position, end in enumerate(taken.inputs)}
    pairs = matched(first.inputs, taken.inputs)
    return {
        str(places[id(other)]): drawn[str(position)] for position, (_, other) in enumerate(pairs)
    }
