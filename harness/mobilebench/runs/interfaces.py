"""Whether a model's variants can stand in its baseline's place: the same inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mobilebench.compress.artifact import Failure, Outcome
from mobilebench.compress.pipeline.build_inputs import chosen, essential
from mobilebench.errors import InvalidRunError
from mobilebench.models.sources import find_source
from mobilebench.records.interface import Interface, conversions, differences
from mobilebench.records.run import INTERFACE_STEP, StoredFailure
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
            ready = interface.read(chosen(find_source(model.source), model), model.source)
            if model.data is None:
                entry.require_fixed(ready, model.source)
            elif ready.open_input is not None:  # the data will say; it is compared when made
                ready = None
        name, baseline = baselines.setdefault(model.name, (recipe.name, ready))
        if baseline is not None and ready is not None and differences(baseline, ready):
            raise _refusal(f"{model.name} · {recipe.name}", _why(name, baseline, ready))


def compare_made(suite: Suite, outcome: Outcome) -> tuple[Outcome, list[str]]:
    """Compares all that was made with each model's baseline.

    Args:
        suite: the first recipe of a model is its baseline.
        outcome: what was made.

    Returns:
        the outcome, in which what takes or gives something else than its baseline has failed; and
        warnings, where float32 became integers or the other way round.
    """
    made = {(artifact.model, artifact.recipe): artifact for artifact in outcome.artifacts}
    baselines: dict[str, str] = {}
    others: dict[tuple[str, str], Failure] = {}
    converted: dict[tuple[str, str], list[str]] = {}
    for model, recipe in suite.variants():
        name = baselines.setdefault(model.name, recipe.name)
        baseline, candidate = made.get((model.name, name)), made.get((model.name, recipe.name))
        if baseline is None or candidate is None:
            continue
        before, after = baseline.interface, candidate.interface
        if before is None or after is None:
            continue
        if differences(before, after):
            reason = _why(name, before, after)
            others[model.name, recipe.name] = Failure(
                model.name, recipe.name, INTERFACE_STEP, reason
            )
        elif found := conversions(before, after):
            converted.setdefault((model.name, "; ".join(found)), []).append(recipe.name)
    artifacts = tuple(a for a in outcome.artifacts if (a.model, a.recipe) not in others)
    failures = (*outcome.failures, *others.values())
    warnings = [
        f"{model} · {', '.join(recipes)}: {found}: an app must convert these values."
        for (model, found), recipes in converted.items()
    ]
    return replace(outcome, artifacts=artifacts, failures=failures), warnings


def ensure_alike(failures: Sequence[StoredFailure]) -> None:
    """Raises OtherInterfaceError if one of these variants is none of its model's."""
    for failure in failures:
        if failure.step == INTERFACE_STEP:
            raise _refusal(f"{failure.model} · {failure.recipe}", failure.reason)


def _why(name: str, baseline: Interface, candidate: Interface) -> str:
    found = "; ".join(differences(baseline, candidate))
    baseline_name = "the baseline" if name == "baseline" else f"its baseline {name}"
    return f"it cannot take the place of {baseline_name}: {found}"


def _refusal(variant: str, reason: str) -> OtherInterfaceError:
    return OtherInterfaceError(f"{variant} was not measured, nor anything else: {reason}")
