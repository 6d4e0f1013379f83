"""The comparison as a tidy table: a row a variant, base units."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mobilebench.analysis.requirement import ACCURACY
from mobilebench.errors import BadInputError
from mobilebench.metrics import registry, with_changes
from mobilebench.text import plain

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    import pandas as pd

    from mobilebench.analysis.disturbance import Load
    from mobilebench.analysis.estimates import Estimate
    from mobilebench.analysis.summary import Comparison, Summary, Variant


def frame(summary: Summary) -> pd.DataFrame:
    """One row a variant, device and runtime; base units; missing cells are empty.

    Where a cell is empty, the column ``…_reason`` beside it says why.
    """
    import pandas as pd  # not for those who read numbers of stored tables: it is large

    left_out = _without_values(summary)
    rows = [
        _row(_tidy(summary, comparison, variant, left_out))
        for comparison in summary.comparisons
        for variant in comparison.variants
    ]
    if rows:
        return pd.DataFrame(rows)
    return pd.DataFrame(columns=["run", "suite", "model", "recipe", "device", "runtime"])


def _without_values(summary: Summary) -> frozenset[str]:
    """The occasional metrics that no variant has a value of: they take no column."""
    variants = [variant for comparison in summary.comparisons for variant in comparison.variants]
    return frozenset(
        name
        for name, metric in registry().items()
        if metric.occasional and all(v[name].value is None for v in variants)
    )


def _row(cells: Iterable[tuple[str, object]]) -> dict[str, object]:
    row: dict[str, object] = {}
    for name, value in cells:
        if name in row:
            raise BadInputError(f"a plug-in's metric has the column {name!r}, and so has the table")
        row[name] = value
    return row


def _tidy(
    summary: Summary, comparison: Comparison, variant: Variant, left_out: Container[str]
) -> Iterator[tuple[str, object]]:
    yield "run", summary.run
    yield "suite", summary.suite
    yield "model", comparison.model
    yield "recipe", variant.recipe
    yield "device", comparison.device
    yield "virtual_device", comparison.virtual
    yield "executor", comparison.executor
    yield "runtime", comparison.runtime
    yield "library", plain(comparison.library)
    yield from _run(comparison)
    yield "is_baseline", variant.is_baseline
    yield "artifact_sha256", variant.artifact
    for metric, change in with_changes():
        if metric.name in left_out:
            continue
        if change is not None:
            yield from _estimate(change.column, variant.changes[metric.name], metric.interval)
            continue
        value = variant[metric.name]
        if metric.unit in ("B", "count") and value.value is not None and value.value % 1 == 0:
            value = replace(value, value=int(value.value))
        yield from _estimate(metric.column, value, metric.interval)
    if variant.sustained is not None:
        for name in ("first", "steady", "change", "throttled_after"):
            found: Estimate = getattr(variant.sustained, name)
            unit = "" if name == "change" else "_ns"
            yield f"sustained_{name}{unit}", found.value
            yield f"sustained_{name}_reason", plain(found.reason)
    yield "energy_source", plain(variant.energy.source)
    yield "energy_windows_or_trials", variant["energy"].n
    yield "idle_watts", variant.energy.idle_watts
    yield "load_watts", variant.energy.load_watts
    yield "latency_trials", variant["latency"].n
    yield from _load(variant.load)
    yield "failed_trials", variant.failed_trials
    yield "samples", variant.latency.samples
    yield "outlier_share", variant.latency.outliers
    yield "drift", variant.latency.drift
    yield "warmup_trials", len(variant.latency.convergence)
    yield "warmup_unsettled_trials", sum(not c.settled for c in variant.latency.convergence)
    yield "bimodal_trials", len(variant.latency.modes_within)
    yield "bimodal_over_trials", variant.latency.modes_over is not None
    yield "nodes", variant.delegation.nodes if variant.delegation else None
    yield "delegated_nodes", variant.delegation.delegated if variant.delegation else None
    yield "best_tradeoff", variant.best_tradeoff
    if comparison.requirement.asked:
        yield from _required(comparison, variant)
    if summary.is_answered:
        yield from _answers(comparison, variant)
    yield "failure", plain(variant.failure)
    yield "warnings", " | ".join(plain(str(w)) for w in (*variant.findings, *variant.warnings))


def _load(load: Load) -> Iterator[tuple[str, object]]:
    yield "loaded_trials", load.loaded
    yield "interrupted_share", load.interrupted
    yield "left_out_trials", load.left_out
    yield "disturbed_trials", load.disturbed
    yield "disturbed_by_load", load.withholds


def _required(comparison: Comparison, variant: Variant) -> Iterator[tuple[str, object]]:
    asked = "accuracy" if comparison.quality.name == ACCURACY else "quality"
    yield f"min_{asked}", comparison.requirement.least
    yield f"max_{asked}_loss", comparison.requirement.loss
    yield f"{asked}_requirement", variant.requirement


def _answers(comparison: Comparison, variant: Variant) -> Iterator[tuple[str, object]]:
    """Which answers were looked at; runs of older versions have none."""
    found = variant.answers
    yield "quality_metric", comparison.quality.name if comparison.is_scored else None
    yield "task", found.task if found else None
    yield "answered_samples", found.samples if found else None
    yield "answered_source", found.source if found else None
    yield "not_scored_reason", plain(found.reason) if found else None
    yield "invalid", plain(variant.invalid)


def _run(comparison: Comparison) -> Iterator[tuple[str, object]]:
    """What of the model was run, where that must be said."""
    if comparison.run_as:
        yield "run_as", plain(comparison.run_as)
    if comparison.batch > 1:
        yield "samples_per_inference", comparison.batch


def _estimate(column: str, estimate: Estimate, with_interval: bool) -> Iterator[tuple[str, object]]:
    yield column, estimate.value
    if with_interval:
        interval = estimate.interval
        yield f"{column}_low", interval.low if interval else None
        yield f"{column}_high", interval.high if interval else None
        yield f"{column}_confidence", interval.confidence if interval else None
    yield f"{column}_reason", plain(estimate.reason)
