"""All metrics: those built in, and those of installed packages."""

from __future__ import annotations

import functools
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from types import MappingProxyType
from typing import get_args

from mobilebench.errors import BadInputError, did_you_mean, first_line
from mobilebench.metrics.builtin import BUILT_IN
from mobilebench.metrics.metric import (
    REPEATED_KINDS,
    Change,
    Computed,
    Kind,
    Metric,
    Quantile,
    Rule,
    Score,
    StoredSize,
    Test,
    Unit,
)

GROUP = "mobilebench.metrics"

#: A key of a policy, a value of ``--metric`` and a column of ``summary.csv``.
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def registry() -> Mapping[str, Metric]:
    """All metrics by name: the built-in ones in the tables' order, then those of plug-ins.

    Raises:
        BadInputError: a plug-in cannot be loaded, is no metric, or takes a name or column that
            another metric has.
    """
    return _registry(tuple(sys.path))


@functools.lru_cache(maxsize=4)
def _registry(_path: tuple[str, ...]) -> Mapping[str, Metric]:
    """The registry with the packages on the path; looking costs tens of milliseconds."""
    found: dict[str, Metric] = {}
    _add(found, "MobileBench", BUILT_IN)
    for offer in sorted(metadata.entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        whose = f"the metric plug-in {offer.value!r} of {_package(offer)}"
        try:
            loaded = offer.load()
        except (Exception, SystemExit) as error:  # a plug-in's import raises whatever it likes
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise BadInputError(
                f"{whose} cannot be loaded ({reason}); repair or uninstall the package"
            ) from error
        _add(found, whose, loaded if isinstance(loaded, list | tuple) else (loaded,))
    return MappingProxyType(found)


def _package(offer: metadata.EntryPoint) -> str:
    return offer.dist.name if offer.dist is not None else "an unnamed package"


def metric_named(name: str) -> Metric:
    """The metric of that name.

    Raises:
        BadInputError: there is none; the message lists those that there are.
    """
    known = registry()
    if name not in known:
        hint = did_you_mean(name, list(known))
        raise BadInputError(f"there is no metric {name!r}; {hint}known are {', '.join(known)}")
    return known[name]


def with_changes() -> Iterator[tuple[Metric, Change | None]]:
    """Each metric, and each change, in the order of columns.

    What is read from one source stands together, and its changes follow.
    """
    for _, group in itertools.groupby(registry().values(), key=lambda m: (m.kind, type(m.read))):
        alike = list(group)
        yield from ((metric, None) for metric in alike)
        yield from ((metric, metric.change) for metric in alike if metric.change is not None)


def judged() -> dict[str, Metric]:
    """The metrics that a gate judges, by name: those that it tests come first."""
    found = [metric for metric in registry().values() if metric.judged is not None]
    return {m.name: m for m in sorted(found, key=lambda m: m.test != "paired")}


def _add(found: dict[str, Metric], origin: str, metrics: Iterable[Metric]) -> None:
    for metric in metrics:
        if not isinstance(metric, Metric):
            raise BadInputError(f"{origin} is no Metric and no list of them, but {metric!r:.60}")
        taken = {column for known in found.values() for column in _columns(known)}
        if metric.name in found or taken & set(_columns(metric)):
            raise BadInputError(
                f"{origin} defines the metric {metric.name!r} (column {metric.column!r}), "
                "but there is already one of that name or column"
            )
        for fault in _faults(metric, {*found, metric.name}):
            raise BadInputError(f"{origin} defines the metric {metric.name!r}: {fault}")
        found[metric.name] = metric


def _columns(metric: Metric) -> tuple[str, ...]:
    return (metric.column, *([metric.change.column] if metric.change else []))


def _faults(metric: Metric, known: set[str]) -> Iterator[str]:
    """What is wrong with a metric."""
    for name in (metric.name, *_columns(metric)):
        if not _NAME.fullmatch(name):
            yield f"{name!r} is no name: lower-case letters, digits and '_', a letter first"
    for field, allowed in (("unit", Unit), ("test", Test), ("kind", Kind)):
        if getattr(metric, field) not in get_args(allowed):
            choices = ", ".join(get_args(allowed))
            yield f"{field} is one of {choices}, not {getattr(metric, field)!r}"
    if isinstance(metric.read, Computed) and metric.read.rule not in get_args(Rule):
        yield f"analysis has no rule {metric.read.rule!r}"
    if isinstance(metric.read, Quantile) and metric.kind != "latency":
        yield "quantiles are read from latency trials"
    if isinstance(metric.read, StoredSize) != (metric.kind == "artifact"):
        yield "stored sizes are read from artifacts, and nothing else is"
    if metric.test == "paired" and metric.kind not in REPEATED_KINDS:
        yield f"only {', '.join(REPEATED_KINDS)} trials come in blocks that can be paired"
    if isinstance(metric.read, Score) and metric.kind != "outputs":
        yield "scores are read from outputs trials"
    if metric.test == "interval":
        yield from _interval_faults(metric)
    if metric.judged is not None and metric.test == "descriptive":
        yield "a gate that judges it needs a test"
    if metric.unit_of and metric.unit_of not in known:
        yield f"there is no metric {metric.unit_of!r} to share its unit with"


def _interval_faults(metric: Metric) -> Iterator[str]:
    if not isinstance(metric.read, Score | Computed):
        yield "only scores and what analysis computes have an interval of their samples"
    if metric.change is None or metric.change.kind == "ratio":
        yield "an interval is one of the difference to the baseline: it needs that as its change"
