"""Stored runs beside each other: advice, never a verdict.

Runs of different sessions differ by more than their models: heat, other load, another day. What is
not comparable at all is refused with the reason; of the rest only a difference beyond both
runs' intervals is called one, since the interval of the change knows nothing of sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench.analysis import estimates
from mobilebench.analysis.comparability import Refusal, differences, library, setting
from mobilebench.analysis.estimates import Estimate, Interval
from mobilebench.errors import BadInputError
from mobilebench.metrics import Metric, Score, metric_named, registry
from mobilebench.records.interface import Interface
from mobilebench.records.interface import differences as interface_differences
from mobilebench.records.key import Key
from mobilebench.records.run import StoredDataset
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import MANIFEST, RunFolder

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Entry:
    """One variant in one run: its numbers, and a metric's change against the first run's.

    ``estimates`` has the value of every metric, by its name. ``change`` is a share of the first
    run's value, or a difference where the metric is a share itself; ``note`` says what to think of
    it.
    """

    run: str
    artifact: str
    estimates: Mapping[str, Estimate]
    change: Estimate
    note: str


@dataclass(frozen=True)
class Row:
    """One variant on one device and runtime, over the runs that have it.

    ``library`` is the inference library of all of them, with its version.
    """

    model: str
    recipe: str
    device: str
    runtime: str
    entries: tuple[Entry, ...]
    library: str = ""


@dataclass(frozen=True)
class StoredComparison:
    """The rows that can be compared by a metric, and what was refused."""

    metric: str
    runs: tuple[str, ...]
    rows: tuple[Row, ...]
    refusals: tuple[Refusal, ...]

    def frame(self) -> pd.DataFrame:
        """A table: a row for each variant in each run, the first run first.

        It has every metric's column as in ``summary.csv``; ``change`` is that of ``metric``: a
        share of the first run's value, or a difference where the metric is a share itself.
        """
        import pandas as pd

        known = [(name, m) for name, m in registry().items() if name not in self._left_out]
        columns = ["model", "recipe", "device", "runtime", "run", "artifact_sha256",
                   *(metric.column for _, metric in known), "metric", "change", "change_low",
                   "change_high", "note"]  # fmt: skip
        rows = [
            (row.model, row.recipe, row.device, row.runtime, e.run, e.artifact,
             *(e.estimates[name].value for name, _ in known), self.metric, e.change.value,
             e.change.interval and e.change.interval.low,
             e.change.interval and e.change.interval.high, e.note)
            for row in self.rows
            for e in row.entries
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)

    def as_json(self) -> dict[str, Any]:
        """For a machine; without the metrics of other tasks than these."""
        left_out = self._left_out
        found = asdict(self)
        for row in found["rows"]:
            for entry in row["entries"]:
                estimates = entry["estimates"].items()
                entry["estimates"] = {n: e for n, e in estimates if n not in left_out}
        return found

    @property
    def _left_out(self) -> frozenset[str]:
        """The occasional metrics that no run has a value of."""
        entries = [entry for row in self.rows for entry in row.entries]
        return frozenset(
            name
            for name, metric in registry().items()
            if metric.occasional and all(e.estimates[name].value is None for e in entries)
        )


def compare(paths: Sequence[Path], metric: str = "latency") -> StoredComparison:
    """Compares each run with the first one, variant by variant.

    Args:
        paths: the runs.
        metric: the name of the registered metric that they are compared by.

    Raises:
        BadInputError: there is no such metric, a folder holds no run, or nothing at all can be
            compared; the message says why.
    """
    by = metric_named(metric)
    if len(paths) < 2:
        raise BadInputError("give at least two runs: the others are compared with the first")
    folders = [RunFolder.open(path) for path in paths]
    names = [folder.run().name for folder in folders]
    found = [_variants(folder, by) for folder in folders]
    first, *others = found
    refusals: list[Refusal] = []
    rows = []
    for key, base in first.items():
        entries = [_entry(names[0], base, None, by)]
        for name, other in zip(names[1:], others, strict=True):
            variant = other.get(key)
            what = " · ".join(key)
            if variant is None:
                refusals.append(Refusal(name, what, _absent(key, other)))
                continue
            reasons = differences(base.setting, variant.setting)
            if base.interface is not None and variant.interface is not None:
                sides = ("the first run", "this one")
                reasons += interface_differences(base.interface, variant.interface, sides)
            if reasons:
                refusals.append(Refusal(name, what, "; ".join(reasons)))
            else:
                entries.append(_entry(name, variant, base, by))
        if len(entries) > 1:
            rows.append(Row(*key, tuple(entries), library(base.setting)))
    if not rows:
        said = dict.fromkeys(f"{r.run}: {r.what}: {r.reason}" for r in refusals)
        shown = "; ".join(list(said)[:3]) or f"{names[0]} has no variant"
        raise BadInputError(f"nothing can be compared with {names[0]}: {shown}")
    return StoredComparison(metric, tuple(names), tuple(rows), tuple(refusals))


@dataclass(frozen=True)
class _Stored:
    setting: Mapping[str, Any]
    artifact: str
    estimates: Mapping[str, Estimate]
    trials: tuple[float, ...]
    dataset: StoredDataset | None
    disturbed: bool
    interface: Interface | None
    samples: str
    invalid: str


def _variants(folder: RunFolder, metric: Metric) -> dict[Key, _Stored]:
    run = folder.run()
    datasets = {(a.model, a.recipe): a.dataset for a in run.artifacts}
    found = {}
    for c in summary_of(folder).comparisons:
        device, runtime = run.device(c.device), run.runtime(c.runtime)
        if device is None or runtime is None:
            raise BadInputError(
                f"{folder.path / MANIFEST} does not say what {c.device} · {c.runtime} is, where "
                "some of its trials ran"
            )
        agreed = setting(device, runtime, run.suite.protocol)
        for v in c.variants:
            found[c.place.key(v.recipe)] = _Stored(
                agreed,
                v.artifact,
                v.estimates,
                tuple(value for _, value in v.blocks[metric.name]),
                datasets.get((c.model, v.recipe)),
                v.load.withholds and metric.kind == "latency" and metric.disturbed_by_load,
                c.interface if v.artifact else None,
                v.answers.digest if v.answers else "",
                v.invalid,
            )
    return found


def _absent(key: Key, other: Mapping[Key, _Stored]) -> str:
    for position, what in enumerate(("model", "recipe", "device", "runtime")):
        known = sorted({k[position] for k in other if k[:position] == key[:position]})
        if key[position] not in known:
            return f"it has no {what} {key[position]!r} there, only {', '.join(known) or 'nothing'}"
    return "it has no such variant"


def _entry(run: str, variant: _Stored, base: _Stored | None, metric: Metric) -> Entry:
    change, notes = Estimate.missing("the first run"), []
    value = variant.estimates[metric.name]
    if value.value is None:
        notes.append(f"no {metric.words}: {value.reason}")
    if base is not None:
        if base.artifact == variant.artifact:
            notes.append("the same file")
        if (base.invalid or variant.invalid) and metric.kind != "artifact":
            change = Estimate.missing("the answers of one of both are not its file's")
        elif base.disturbed or variant.disturbed:
            change = Estimate.missing(f"load disturbed the {metric.words} of one of both")
            notes.append("disturbed by load: no difference is claimed")
        else:
            change = _change(metric, variant, base)
        if change.value is not None:
            notes.append(_weigh(metric, base.estimates[metric.name], value))
        if base.estimates["accuracy"].value is not None and base.dataset != variant.dataset:
            notes.append("accuracy of other samples")
        elif _other_samples(base, variant):
            notes.append("answers to other samples")
        if variant.invalid:
            notes.append("INVALID: its answers are not its file's")
    return Entry(run, variant.artifact, variant.estimates, change, "; ".join(notes))


def _change(metric: Metric, variant: _Stored, base: _Stored) -> Estimate:
    """How much more than in the first run, as two unpaired sets of trials or samples show."""
    if variant.trials or base.trials:
        return _relative(estimates.ratio_of_medians(variant.trials, base.trials))
    own, first = variant.estimates[metric.name], base.estimates[metric.name]
    if own.value is None or first.value is None:
        return Estimate.missing(own.reason or first.reason)
    if metric.unit in ("share", "dB"):
        return _difference(metric, variant, base)
    if metric.is_quality and _other_samples(base, variant):
        return Estimate.missing("it is of other samples")
    if not first.value:
        return Estimate.missing("the first run's is 0")
    return Estimate((own.value - first.value) / abs(first.value), n=1)


def _difference(metric: Metric, variant: _Stored, base: _Stored) -> Estimate:
    """Of what is no multiple of anything: two shares, two ratios of powers."""
    own, first = variant.estimates[metric.name], base.estimates[metric.name]
    assert own.value is not None
    assert first.value is not None
    if metric.kind == "outputs" and _other_samples(base, variant):
        return Estimate.missing("it is of other samples")
    if isinstance(metric.read, Score) and metric.read.counted:
        rights = (round(own.value * own.n), own.n, round(first.value * first.n), first.n)
        return estimates.difference(*rights)
    return Estimate(own.value - first.value, n=min(own.n, first.n))


def _other_samples(base: _Stored, variant: _Stored) -> bool:
    """Whether they answered other samples; older runs know only the data's name and hash."""
    if base.samples and variant.samples:
        return base.samples != variant.samples
    return base.dataset != variant.dataset


def _relative(ratio: Estimate) -> Estimate:
    if ratio.value is None:
        return ratio
    interval = ratio.interval and Interval(ratio.interval.low - 1, ratio.interval.high - 1)
    return Estimate(ratio.value - 1, interval, ratio.n, ratio.reason)


#: Worse and better, of times and of everything else.
_TIMES, _OTHERS = ("slower", "faster"), ("worse", "better")


def words_of(metric: Metric) -> tuple[str, str]:
    """What a note calls a worse and a better value."""
    return _TIMES if metric.unit == "ns" else _OTHERS


def _weigh(metric: Metric, base: Estimate, other: Estimate) -> str:
    if metric.test == "exact" or metric.kind == "artifact":
        rises, falls = ((other.value or 0) > (base.value or 0)), other.value != base.value
        none = "no difference"
    elif base.interval is None or other.interval is None:
        return "no difference is claimed: too few trials"
    else:
        rises = other.interval.low > base.interval.high
        falls = other.interval.high < base.interval.low
        none = "no difference beyond the intervals"
    if not rises and not falls:
        return none
    worse, better = words_of(metric)
    return worse if rises == (metric.direction == "lower") else better
