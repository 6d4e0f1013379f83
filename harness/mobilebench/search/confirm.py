"""The few that a search found, in an ordinary run on data that no choice has seen."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mobilebench.analysis.estimates import Estimate
from mobilebench.analysis.summary import Variant
from mobilebench.files import disk_errors, write_atomically
from mobilebench.metrics import Metric
from mobilebench.records.run import Run
from mobilebench.runs import run as runs
from mobilebench.runs.leases import Leases
from mobilebench.runs.run import Watcher
from mobilebench.runs.summaries import summary_of
from mobilebench.search.aim import MEASURES, Aim
from mobilebench.search.bench import shown_factor
from mobilebench.search.candidate import Candidate, Measure
from mobilebench.search.ladder import beyond
from mobilebench.search.settings import FILES, SUITE, Settings
from mobilebench.search.view import Confirmed, Holds
from mobilebench.store.folder import RunFolder
from mobilebench.suite.schema import Suite, validate
from mobilebench.tflite.inspect.layers import macs_of

#: How the name of the chosen one's file ends.
CHOSEN = ".chosen.tflite"


def confirm(
    settings: Settings,
    baseline: str,
    candidates: Sequence[Candidate],
    found_by: str,
    results: Path,
    watcher: Watcher,
    leases: Leases,
    unfinished: Path | None,
) -> RunFolder:
    """Measures candidates beside the baseline, on the half of the data that no choice has seen.

    Args:
        settings: of the search.
        baseline: the recipe of the model as it is.
        candidates: to measure.
        found_by: what the run's report says of where they come from.
        results: where the run gets its folder.
        watcher: is given the progress.
        leases: of the search, which has the device already.
        unfinished: a run of these candidates to go on with.

    Raises:
        InterruptedRunError, InvalidRunError: it can be resumed: ``folder`` of the error.
    """
    if unfinished is not None:
        return runs.resume(unfinished, watcher, leases=leases)
    suite = suite_of(settings, [baseline, *(c.recipe for c in candidates if c.recipe != baseline)])

    def shape(run: Run) -> Run:
        return run.model_copy(update={"warnings": (found_by, *run.warnings)})

    return runs.start(suite, results, settings.command, watcher, shape, leases=leases)


def note(folder: RunFolder, sentence: str) -> None:
    """Adds what was seen to the warnings of a run, once."""
    with folder.locked():
        run = folder.run()
        if sentence not in run.warnings:
            warnings = (*run.warnings[:1], sentence, *run.warnings[1:])
            folder.write_run(run.model_copy(update={"warnings": warnings}))


def suite_of(settings: Settings, recipes: Sequence[str]) -> Suite:
    """The suite of the confirming run."""
    model = settings.model.model_copy(update={"split": "test", "recipes": tuple(recipes)})
    document = {
        "name": settings.name,
        "seed": settings.seed,
        "protocol": {"blocks": settings.blocks, "energy": "energy" in settings.aim.measures},
        "models": [model.model_dump()],
        "runtimes": [settings.runtime.model_dump()],
        "devices": [settings.device.model_dump()],
    }
    return validate(document, f"search {settings.name!r}", Path())


def read_confirmed(
    folder: RunFolder, aim: Aim, metric: Metric, candidates: Sequence[Candidate]
) -> tuple[Confirmed, ...]:
    """What the run shows of each candidate."""
    summary = summary_of(folder)
    variants = {v.recipe: v for comparison in summary.comparisons for v in comparison.variants}
    counts = {
        made.recipe: macs_of(folder.artifact(f"{made.sha256}.tflite").read_bytes(), made.recipe)
        for made in (folder.run().artifacts if "macs" in aim.measures else ())
    }
    return tuple(
        _confirmed(variants.get(c.recipe), aim, metric, c, counts.get(c.recipe)) for c in candidates
    )


def _confirmed(
    variant: Variant | None, aim: Aim, metric: Metric, candidate: Candidate, macs: int | None
) -> Confirmed:
    if variant is None or variant.failure or variant.invalid:
        reason = "it was not measured"
        if variant is not None:
            reason = variant.invalid or variant.failure
        return Confirmed(candidate, {}, None, None, None, "unknown", reason)
    values: dict[Measure, float] = {}
    for name in MEASURES:  # a run's metrics have the same names
        value = macs if name == "macs" else variant[name].value
        if value is not None:
            values[name] = value
    change = Estimate(0.0) if variant.is_baseline else variant.changes[metric.name]
    sign = (1.0 if metric.direction == "lower" else -1.0) * shown_factor(metric)
    if change.value is None:
        return Confirmed(candidate, values, None, None, None, "unknown", change.reason)
    loss = sign * change.value
    low = high = None
    if change.interval is not None:
        low, high = sorted((sign * change.interval.low, sign * change.interval.high))
    holds, reason = _judge(aim, values, loss, loss if variant.is_baseline else high)
    return Confirmed(candidate, values, loss, low, high, holds, reason)


def _judge(
    aim: Aim, values: dict[Measure, float], loss: float, high: float | None
) -> tuple[Holds, str]:
    if loss > aim.max_loss:
        return "missed", f"it loses {loss:.2f}, and {aim.max_loss:g} is the limit"
    for name, limit in aim.limits.items():
        if name not in values:
            return "unknown", f"its {name} was not measured"
        if values[name] > limit:
            return "missed", beyond(name, values[name], limit)
    if high is not None and high <= aim.max_loss:
        return "shown", ""
    if high is None:
        return "estimated", "the loss has no interval"
    return "estimated", "the limit of the loss is within its interval"


def deliver(
    settings: Settings,
    folder: Path,
    run: RunFolder,
    baseline: str,
    recipes: Sequence[str],
    first: Literal["chosen", "nearest"],
) -> list[Path]:
    """Puts the files and a suite of them, beside the baseline, into the search's folder.

    Files of an earlier session that are not among them are removed.

    Args:
        settings: of the search.
        folder: its folder.
        run: that confirmed the recipes.
        baseline: the recipe of the model as it is.
        recipes: of the files.
        first: what the first of them is.

    Returns:
        the files, in the order of the recipes; one that the run did not make is missing.

    Raises:
        InvalidRunError: the disk is full or failing.
    """
    made = {artifact.recipe: artifact.sha256 for artifact in run.run().artifacts}
    paths = []
    for place, recipe in enumerate(recipes):
        if recipe not in made:
            continue
        content = run.artifact(f"{made[recipe]}.tflite").read_bytes()
        kind = first if place == 0 else f"other-{place}"
        path = folder / FILES / f"{settings.name}.{kind}.tflite"
        with disk_errors(path):
            path.parent.mkdir(exist_ok=True)
        write_atomically(path, content)
        paths.append(path)
    with disk_errors(folder / FILES):
        for path in [*(folder / FILES).glob("*.tflite")]:
            if path not in paths and _delivered(settings.name, path.name):
                path.unlink(missing_ok=True)
    write_atomically(
        folder / SUITE,
        suite_text(settings, [baseline, *(r for r in recipes if r != baseline)]).encode(),
    )
    return paths


def _delivered(name: str, file: str) -> bool:
    return re.fullmatch(re.escape(name) + r"\.(chosen|nearest|other-\d+)\.tflite", file) is not None


def suite_text(settings: Settings, recipes: Sequence[str]) -> str:
    """A suite of the model with these recipes, as TOML."""
    model = settings.model
    lines = [f"name = {_text(settings.name)}", f"seed = {settings.seed}", "", "[[models]]"]
    lines += [f"name = {_text(model.name)}", f"source = {_text(model.source)}"]
    for key in ("data", "task", "student", "signature"):
        value = getattr(model, key)
        if value is not None:
            lines.append(f"{key} = {_text(value)}")
    if model.teachers:
        lines.append(f"teachers = [{', '.join(map(_text, model.teachers))}]")
    if model.shapes:
        shapes = (f"{_text(name)} = {list(shape)}" for name, shape in model.shapes.items())
        lines.append(f"shapes = {{ {', '.join(shapes)} }}")
    lines.append("recipes = [")
    lines += [f"  {_text(recipe)}," for recipe in recipes]
    lines += ["]", ""]
    return "\n".join(lines)


def _text(value: str) -> str:
    """A text of TOML, whose escapes are JSON's."""
    return json.dumps(value, ensure_ascii=False)
