"""The comparison as a tidy table: a row a variant, base units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mobilebench.analysis.estimates import Estimate
from mobilebench.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mobilebench.analysis.summary import Comparison, Summary, Variant

#: Column name, and where its estimate stands.
_TIDY: tuple[tuple[str, str], ...] = (
    ("accuracy", "accuracy"),
    ("accuracy_change", "accuracy_change"),
    ("size_bytes", "size"),
    ("gzip_bytes", "gzip_size"),
    ("zstd_bytes", "zstd_size"),
    ("xz_bytes", "xz_size"),
    ("size_ratio", "smaller"),
    ("gzip_ratio", "gzip_smaller"),
    ("latency_ns", "latency.median"),
    ("latency_p90_ns", "latency.p90"),
    ("latency_p95_ns", "latency.p95"),
    ("latency_p99_ns", "latency.p99"),
    ("speedup", "speedup"),
    ("first_inference_ns", "latency.first"),
    ("initialization_ns", "latency.initialization"),
    ("memory_peak_bytes", "memory.peak"),
    ("memory_pss_bytes", "memory.pss"),
    ("memory_anonymous_bytes", "memory.anonymous"),
    ("memory_file_bytes", "memory.file"),
    ("energy_per_inference_joules", "energy.per_inference"),
)
_WITH_INTERVAL = (
    "accuracy",
    "accuracy_change",
    "latency_ns",
    "speedup",
    "energy_per_inference_joules",
)


def frame(summary: Summary) -> pd.DataFrame:
    """One row a variant, device and runtime; base units; missing cells are empty.

    Where a cell is empty, the column ``…_reason`` beside it says why.
    """
    rows = [
        dict(_tidy(summary, comparison, variant))
        for comparison in summary.comparisons
        for variant in comparison.variants
    ]
    if rows:
        return pd.DataFrame(rows)
    return pd.DataFrame(columns=["run", "suite", "model", "recipe", "device", "runtime"])


def _tidy(
    summary: Summary, comparison: Comparison, variant: Variant
) -> Iterator[tuple[str, object]]:
    yield "run", summary.run
    yield "suite", summary.suite
    yield "model", comparison.model
    yield "recipe", variant.recipe
    yield "device", comparison.device
    yield "virtual_device", comparison.virtual
    yield "executor", comparison.executor
    yield "runtime", comparison.runtime
    yield "is_baseline", variant.is_baseline
    yield "artifact_sha256", variant.artifact
    for name, path in _TIDY:
        estimate: Estimate = _follow(variant, path)
        whole = name.endswith("_bytes") and estimate.value is not None and estimate.value % 1 == 0
        yield name, int(estimate.value or 0) if whole else estimate.value
        if name in _WITH_INTERVAL:
            interval = estimate.interval
            yield f"{name}_low", interval.low if interval else None
            yield f"{name}_high", interval.high if interval else None
            yield f"{name}_confidence", interval.confidence if interval else None
        yield f"{name}_reason", plain(estimate.reason)
    if variant.sustained is not None:
        for name in ("first", "steady", "change", "throttled_after"):
            found: Estimate = getattr(variant.sustained, name)
            unit = "" if name == "change" else "_ns"
            yield f"sustained_{name}{unit}", found.value
            yield f"sustained_{name}_reason", plain(found.reason)
    yield "energy_source", plain(variant.energy.source)
    yield "energy_windows_or_trials", variant.energy.per_inference.n
    yield "idle_watts", variant.energy.idle_watts
    yield "load_watts", variant.energy.load_watts
    yield "latency_trials", variant.latency.median.n
    yield "disturbed_trials", variant.load.disturbed
    yield "disturbed_by_load", variant.load.withholds
    yield "failed_trials", variant.failed_trials
    yield "samples", variant.latency.samples
    yield "outlier_share", variant.latency.outliers
    yield "drift", variant.latency.drift
    unsettled = [c for c in variant.latency.convergence if not c.settled]
    yield "warmup_trials", len(variant.latency.convergence)
    yield "warmup_unsettled_trials", len(unsettled)
    yield "bimodal_trials", len(variant.latency.modes_within)
    yield "bimodal_over_trials", variant.latency.modes_over is not None
    yield "nodes", variant.delegation.nodes if variant.delegation else None
    yield "delegated_nodes", variant.delegation.delegated if variant.delegation else None
    yield "best_tradeoff", variant.best_tradeoff
    if comparison.requirement.asked:
        yield "min_accuracy", comparison.requirement.least
        yield "max_accuracy_loss", comparison.requirement.loss
        yield "accuracy_requirement", variant.requirement
    yield "failure", plain(variant.failure)
    yield "warnings", " | ".join(plain(w) for w in (*variant.findings, *variant.warnings))


def _follow(variant: Variant, path: str) -> Estimate:
    found: object = variant
    for name in path.split("."):
        found = getattr(found, name)
    assert isinstance(found, Estimate)
    return found
