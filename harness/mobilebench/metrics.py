"""Every metric, defined once.

Tables, ``summary.csv``, JSON, LaTeX, history, the gate's policy and comparisons walk this registry,
so that a metric is added by one entry here (``docs/adding.md`` has an example), or by an installed
package's entry point in the group ``mobilebench.metrics``, which names a :class:`Metric` or a list
of them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from types import MappingProxyType
from typing import Literal

from mobilebench.errors import BadInputError

#: What values are counted in; tables choose a readable multiple. ``share`` is shown in percent.
Unit = Literal["ns", "B", "J", "share", "count"]

#: How a gate judges: paired blocks of trials, exact arithmetic, the interval of samples, or not.
Test = Literal["paired", "exact", "interval", "descriptive"]

#: The trial that measures it; ``artifact`` needs no trial.
Kind = Literal["latency", "memory", "accuracy", "energy", "artifact"]


@dataclass(frozen=True)
class Quantile:
    """Read from each latency trial's timed inferences; the estimate is the median over trials."""

    q: float


@dataclass(frozen=True)
class Counter:
    """Read from the counter of that name in the agent's result; the median over trials."""

    name: str


@dataclass(frozen=True)
class StoredSize:
    """Read from the artifact: the bytes of its file, packed in that way; exact."""

    packing: str


@dataclass(frozen=True)
class Computed:
    """What analysis computes by rules of its own: accuracy, energy, nodes left undelegated."""


@dataclass(frozen=True)
class Change:
    """How a variant is set beside its baseline.

    Attributes:
        kind: ``ratio`` is the baseline's value over the variant's, so that above 1 is better where
            lower is; ``difference`` is the variant's value less the baseline's.
        column: its name in ``summary.csv``.
        title: its heading in tables; empty: in no table.
    """

    kind: Literal["ratio", "difference"]
    column: str
    title: str = ""


@dataclass(frozen=True)
class Judged:
    """The gate's default policy for a metric.

    Attributes:
        margin: how much worse the candidate may be: a share of the baseline's value, a difference
            of shares (``share``), or a number (``count``).
        missing: what it means that there is no value: nothing, or that verdict.
        least: a change of less than that is never a regression, in the metric's unit.
    """

    margin: float = 0.0
    missing: Literal["ignore", "inconclusive", "fail"] = "ignore"
    least: float = 0.0


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: how policies, history and the API call it.
        title: its heading in tables.
        column: its name in ``summary.csv`` and JSON, in base units.
        unit: of its value.
        direction: which way is better.
        kind: the trial that measures it.
        read: where a trial or an artifact has it.
        test: how the gate judges it.
        change: how it is set beside the baseline's; None: not at all.
        judged: the gate's default policy; None: no gate looks at it.
        table: the table that shows it: the main one, the one of details, or none.
        interval: whether tables and ``summary.csv`` give its interval.
        paper: its heading in LaTeX; empty: left out there.
        terminal: whether the terminal's table has it, if there is room.
    """

    name: str
    title: str
    column: str
    unit: Unit
    direction: Literal["lower", "higher"]
    kind: Kind
    read: Quantile | Counter | StoredSize | Computed
    test: Test = "descriptive"
    change: Change | None = None
    judged: Judged | None = None
    table: Literal["main", "details", "none"] = "details"
    interval: bool = False
    paper: str = ""
    terminal: bool = False


_BUILT_IN = (
    Metric(
        "accuracy",
        "Accuracy",
        "accuracy",
        "share",
        "higher",
        "accuracy",
        Computed(),
        test="interval",
        change=Change("difference", "accuracy_change", "Δ accuracy"),
        judged=Judged(margin=0.01),
        table="main",
        interval=True,
        paper="Accuracy",
        terminal=True,
    ),
    Metric(
        "size",
        "File",
        "size_bytes",
        "B",
        "lower",
        "artifact",
        StoredSize("file"),
        test="exact",
        change=Change("ratio", "size_ratio", "Smaller"),
        judged=Judged(margin=0.01, missing="inconclusive"),
        table="main",
        paper="File",
        terminal=True,
    ),
    Metric(
        "download",
        "gzip",
        "gzip_bytes",
        "B",
        "lower",
        "artifact",
        StoredSize("gzip"),
        test="exact",
        change=Change("ratio", "gzip_ratio"),
        judged=Judged(margin=0.01),
        table="main",
    ),
    Metric(
        "zstd", "zstd", "zstd_bytes", "B", "lower", "artifact", StoredSize("zstd"), table="none"
    ),
    Metric("xz", "xz", "xz_bytes", "B", "lower", "artifact", StoredSize("xz"), table="none"),
    Metric(
        "latency",
        "Latency",
        "latency_ns",
        "ns",
        "lower",
        "latency",
        Quantile(0.5),
        test="paired",
        change=Change("ratio", "speedup", "Speed-up"),
        judged=Judged(margin=0.03, missing="inconclusive"),
        table="main",
        interval=True,
        paper="Latency",
        terminal=True,
    ),
    Metric("p90", "p90", "latency_p90_ns", "ns", "lower", "latency", Quantile(0.9), table="main"),
    Metric("p95", "p95", "latency_p95_ns", "ns", "lower", "latency", Quantile(0.95)),
    Metric("p99", "p99", "latency_p99_ns", "ns", "lower", "latency", Quantile(0.99), table="main"),
    Metric(
        "first_inference",
        "First inference",
        "first_inference_ns",
        "ns",
        "lower",
        "latency",
        Counter("first_inference"),
    ),
    Metric(
        "initialization",
        "Load",
        "initialization_ns",
        "ns",
        "lower",
        "latency",
        Counter("initialization_time"),
    ),
    Metric(
        "memory",
        "Peak memory",
        "memory_peak_bytes",
        "B",
        "lower",
        "memory",
        Counter("memory_peak"),
        test="paired",
        judged=Judged(margin=0.05, missing="inconclusive", least=256 * 1024),
        table="main",
        paper="Memory",
        terminal=True,
    ),
    Metric("pss", "PSS", "memory_pss_bytes", "B", "lower", "memory", Counter("memory_pss")),
    Metric(
        "anonymous_memory",
        "Anonymous",
        "memory_anonymous_bytes",
        "B",
        "lower",
        "memory",
        Counter("memory_anonymous"),
    ),
    Metric(
        "file_memory",
        "File-backed",
        "memory_file_bytes",
        "B",
        "lower",
        "memory",
        Counter("memory_file"),
    ),
    Metric(
        "energy",
        "Energy",
        "energy_per_inference_joules",
        "J",
        "lower",
        "energy",
        Computed(),
        test="paired",
        judged=Judged(margin=0.05),
        table="main",
        interval=True,
        paper="Energy",
        terminal=True,
    ),
    Metric(
        "delegation",
        "Nodes not delegated",
        "nodes_left",
        "count",
        "lower",
        "latency",
        Computed(),
        test="exact",
        judged=Judged(),
        table="none",
    ),
)

_GROUP = "mobilebench.metrics"


@functools.cache
def registry() -> Mapping[str, Metric]:
    """All metrics by name: the built-in ones in the tables' order, then those of plug-ins.

    Raises:
        BadInputError: a plug-in cannot be loaded, is no metric, or takes a name or column that
            another metric has.
    """
    found: dict[str, Metric] = {}
    _add(found, "MobileBench", _BUILT_IN)
    for entry in sorted(metadata.entry_points(group=_GROUP), key=lambda e: e.name):
        try:
            loaded = entry.load()
        except Exception as error:
            raise BadInputError(
                f"the plug-in {entry.value} of the group {_GROUP} cannot be loaded: {error}"
            ) from error
        _add(found, entry.value, (loaded,) if isinstance(loaded, Metric) else loaded)
    return MappingProxyType(found)


def _add(found: dict[str, Metric], origin: str, metrics: Iterable[Metric]) -> None:
    for metric in metrics:
        if not isinstance(metric, Metric):
            raise BadInputError(f"{origin} names {metric!r} as a metric, and it is none")
        columns = {known.column for known in found.values()}
        if metric.name in found or metric.column in columns:
            raise BadInputError(
                f"{origin} defines the metric {metric.name!r} (column {metric.column!r}), "
                "and there is one of that name or column already"
            )
        found[metric.name] = metric


def judged() -> dict[str, Metric]:
    """The metrics that a gate judges, by name."""
    return {name: metric for name, metric in registry().items() if metric.judged is not None}
