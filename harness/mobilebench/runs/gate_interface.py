"""Whether a gate's candidates can stand in their baseline's place: the same inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mobilebench.compress.pipeline.build_inputs import essential
from mobilebench.errors import InvalidRunError
from mobilebench.models.sources import find_source
from mobilebench.records.gate import Pair
from mobilebench.records.interface import Interface, conversions, differences
from mobilebench.records.run import Run
from mobilebench.suite.schema import Suite
from mobilebench.tflite import entry, interface


class OtherInterfaceError(InvalidRunError):
    """A candidate takes or gives something else than its baseline; nothing was written."""


def ensure_ready_files_fit(suite: Suite) -> None:
    """Compares the ready files of each model, before anything is made.

    Raises:
        BadInputError: a file is not there, no ``.tflite``, or has an input of an open shape.
        OtherInterfaceError: a candidate takes or gives something else than its baseline.
    """
    baselines: dict[str, tuple[str, Interface | None]] = {}
    for model, recipe in suite.variants():
        ready = None
        if model.source.endswith(".tflite") and not essential(recipe.steps):
            ready = interface.read(find_source(model.source).path.read_bytes(), model.source)
            entry.require_fixed(ready, model.source)
        name, baseline = baselines.setdefault(model.name, (recipe.name, ready))
        if baseline is not None and ready is not None:
            _ensure_fit(f"{model.name} · {recipe.name}", name, baseline, ready)


def compare_made(pairs: Iterable[Pair], run: Run, files: Mapping[str, Path]) -> list[str]:
    """Compares all that was made.

    Args:
        pairs: which variants are compared.
        run: what was made.
        files: the run's files, by name.

    Returns:
        warnings: where float32 became integers, or the other way round.

    Raises:
        OtherInterfaceError: a candidate takes or gives something else than its baseline.
    """
    made = {
        (artifact.model, artifact.recipe): interface.read(
            files[f"{artifact.sha256}.tflite"].read_bytes(), artifact.recipe
        )
        for artifact in run.artifacts
    }
    warnings: dict[str, None] = {}
    for pair in pairs:
        baseline = made.get((pair.model, pair.baseline))
        candidate = made.get((pair.model, pair.candidate))
        if baseline is None or candidate is None:
            continue
        name = f"{pair.model} · {pair.candidate}"
        _ensure_fit(name, pair.baseline, baseline, candidate)
        converted = conversions(baseline, candidate)
        if converted:
            warnings[f"{name}: {'; '.join(converted)}: an app must convert these values."] = None
    return list(warnings)


def _ensure_fit(name: str, baseline_name: str, baseline: Interface, candidate: Interface) -> None:
    found = differences(baseline, candidate)
    if found:
        raise OtherInterfaceError(
            f"{name} cannot take the place of its baseline {baseline_name}, so nothing was "
            f"measured: {'; '.join(found)}"
        )
