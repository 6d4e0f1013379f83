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
from mobilebench.analysis.comparability import Refusal, differences, setting
from mobilebench.analysis.estimates import Estimate, Interval
from mobilebench.errors import BadInputError
from mobilebench.records.run import StoredDataset
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import MANIFEST, RunFolder

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Entry:
    """One variant in one run: its numbers, and the change against the first run's.

    ``latency`` is in nanoseconds; ``change`` a share of the first run's; ``note`` says what to
    think of it.
    """

    run: str
    artifact: str
    latency: Estimate
    size: float | None
    accuracy: Estimate
    change: Estimate
    note: str


@dataclass(frozen=True)
class Row:
    """One variant on one device and runtime, over the runs that have it."""

    model: str
    recipe: str
    device: str
    runtime: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class StoredComparison:
    """The rows that can be compared, and what was refused."""

    runs: tuple[str, ...]
    rows: tuple[Row, ...]
    refusals: tuple[Refusal, ...]

    def frame(self) -> pd.DataFrame:
        """A table: a row for each variant in each run, the first run first.

        Latency is in nanoseconds, size in bytes; ``change`` is a share of the first run's latency.
        """
        import pandas as pd

        columns = ["model", "recipe", "device", "runtime", "run", "artifact_sha256", "latency_ns",
                   "size_bytes", "accuracy", "change", "change_low", "change_high",
                   "note"]  # fmt: skip
        rows = [
            (row.model, row.recipe, row.device, row.runtime, e.run, e.artifact, e.latency.value,
             e.size, e.accuracy.value, e.change.value,
             e.change.interval and e.change.interval.low,
             e.change.interval and e.change.interval.high, e.note)
            for row in self.rows
            for e in row.entries
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        return asdict(self)


def compare(paths: Sequence[Path]) -> StoredComparison:
    """Compares each run with the first one, variant by variant.

    Raises:
        BadInputError: a folder holds no run, or nothing at all can be compared; the message says
            why.
    """
    if len(paths) < 2:
        raise BadInputError("give at least two runs: the others are compared with the first")
    folders = [RunFolder.open(path) for path in paths]
    names = [folder.run().name for folder in folders]
    found = [_variants(folder) for folder in folders]
    first, *others = found
    refusals: list[Refusal] = []
    rows = []
    for key, base in first.items():
        entries = [_entry(names[0], base, None)]
        for name, other in zip(names[1:], others, strict=True):
            variant = other.get(key)
            what = " · ".join(key)
            if variant is None:
                refusals.append(Refusal(name, what, _absent(key, other)))
                continue
            told = differences(base.setting, variant.setting)
            if told:
                refusals.append(Refusal(name, what, "; ".join(told)))
            else:
                entries.append(_entry(name, variant, base))
        if len(entries) > 1:
            rows.append(Row(*key, tuple(entries)))
    if not rows:
        said = dict.fromkeys(f"{r.run}: {r.what}: {r.reason}" for r in refusals)
        shown = "; ".join(list(said)[:3]) or f"{names[0]} has no variant"
        raise BadInputError(f"nothing can be compared with {names[0]}: {shown}")
    return StoredComparison(tuple(names), tuple(rows), tuple(refusals))


_Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class _Stored:
    setting: Mapping[str, Any]
    artifact: str
    latency: Estimate
    trials: tuple[float, ...]
    size: float | None
    accuracy: Estimate
    dataset: StoredDataset | None
    disturbed: bool


def _variants(folder: RunFolder) -> dict[_Key, _Stored]:
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
            found[c.model, v.recipe, c.device, c.runtime] = _Stored(
                agreed,
                v.artifact,
                v.latency.median,
                tuple(value for _, value in v.latency.by_block),
                v.size.value,
                v.accuracy,
                datasets.get((c.model, v.recipe)),
                v.load.withholds,
            )
    return found


def _absent(key: _Key, other: Mapping[_Key, _Stored]) -> str:
    for position, what in enumerate(("model", "recipe", "device", "runtime")):
        known = sorted({k[position] for k in other if k[:position] == key[:position]})
        if key[position] not in known:
            return f"it has no {what} {key[position]!r} there, only {', '.join(known) or 'nothing'}"
    return "it has no such variant"


def _entry(run: str, variant: _Stored, base: _Stored | None) -> Entry:
    change, notes = Estimate.missing("the first run"), []
    latency = variant.latency
    if latency.value is None:
        notes.append(f"no latency: {latency.reason}")
    if base is not None:
        if base.artifact == variant.artifact:
            notes.append("the same file")
        if base.disturbed or variant.disturbed:
            change = Estimate.missing("load disturbed the latency of one of both")
            notes.append("disturbed by load: no difference is claimed")
        else:
            change = _change(variant.trials, base.trials)
        if change.value is not None:
            notes.append(_weigh(base.latency, latency))
        if base.accuracy.value is not None and base.dataset != variant.dataset:
            notes.append("accuracy of other samples")
    return Entry(
        run,
        variant.artifact,
        latency,
        variant.size,
        variant.accuracy,
        change,
        "; ".join(notes),
    )


def _change(trials: Sequence[float], base: Sequence[float]) -> Estimate:
    """How much slower than the first run (share), as two unpaired sets of trials tell."""
    ratio = estimates.ratio_of_medians(trials, base)
    if ratio.value is None:
        return ratio
    interval = ratio.interval and Interval(ratio.interval.low - 1, ratio.interval.high - 1)
    return Estimate(ratio.value - 1, interval, ratio.n, ratio.reason)


def _weigh(base: Estimate, other: Estimate) -> str:
    if base.interval is None or other.interval is None:
        return "no difference is claimed: too few trials"
    if other.interval.low > base.interval.high:
        return "slower"
    if other.interval.high < base.interval.low:
        return "faster"
    return "no difference beyond the intervals"
