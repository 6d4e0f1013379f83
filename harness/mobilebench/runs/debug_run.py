"""Which operators make the answers of a run's variants differ from what their files say."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from mobilebench.analysis.validity import answers_differ
from mobilebench.errors import BadInputError
from mobilebench.records.key import Key
from mobilebench.records.run import Run
from mobilebench.records.trial import Trial
from mobilebench.runs.evaluations import evaluations
from mobilebench.runs.layer_finding import LayerParity
from mobilebench.runs.layer_parity import compare
from mobilebench.runs.leases import leased
from mobilebench.runs.selection import open_device
from mobilebench.store.folder import RunFolder
from mobilebench.suite.schema import Suite


def debug_answers_of(
    folder: RunFolder, report: Callable[[int, int], None]
) -> Iterator[tuple[Key, LayerParity]]:
    """Goes through each variant whose answers on a device are not its file's, by its operators.

    Args:
        folder: of the run, whose devices are still there.
        report: is given the progress of each.

    Raises:
        BadInputError: a device or what the variant was asked cannot be had any more.
        InvalidRunError: a device cannot run the file at all.
    """
    run = folder.run()
    specs = {spec.name: spec for spec in Suite.model_validate(run.suite.document).devices}
    for key, trial in _wrong(folder, run).items():
        runtime = run.runtime(trial.runtime)
        variant = (trial.model, trial.recipe)
        with tempfile.TemporaryDirectory(prefix="mobilebench-") as scratch:
            asked = evaluations(folder, run, {variant}, {}, Path(scratch), lambda _done, _of: None)
            samples = asked[variant].samples
            if samples is None or runtime is None:
                raise BadInputError(f"{key} cannot be asked again: {asked[variant].reason}")
            file = folder.artifact(f"{trial.artifact}.tflite")
            device = open_device(specs[trial.device])
            with leased(device):
                device.probe()
                found = compare(
                    device,
                    file.read_bytes(),
                    str(key),
                    samples,
                    runtime,
                    Path(scratch),
                    report,
                    run.suite.protocol.parity_db,
                )
        yield key, found


def _wrong(folder: RunFolder, run: Run) -> dict[Key, Trial]:
    """One trial of each variant whose answers on a device are not its file's."""
    least = run.suite.protocol.parity_db
    found: dict[Key, Trial] = {}
    for trial in folder.trials():
        if answers_differ(run, Key.of(trial), trial.answers, least):
            found.setdefault(Key.of(trial), trial)
    return found
