"""Stored runs beside each other: advice, never a verdict.

Runs of different sessions differ by more than their models: heat, other load, another day. What is
not comparable at all is refused with the reason; of the rest only a difference beyond both
intervals is called one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis import units
from harness.analysis.estimates import Estimate
from harness.errors import BadInputError
from harness.report import summary_of
from harness.report.text import plain
from harness.store import RunFolder

#: What of a device must agree, and how it is called.
_DEVICE = {
    "kind": "kind of device",
    "virtual": "virtual or real device",
    "runtime": "runtime",
    "runtime_version": "runtime version",
    "agent": "agent version",
}
#: What of the facts that a device tells of itself; a name is not enough, and a serial too much.
_FACTS = {
    "model": "phone model",
    "soc": "processor",
    "android": "Android version",
    "build": "Android build",
    "cpu": "processor",
    "cores": "number of cores",
    "machine": "architecture",
    "system": "operating system",
}
#: How often a variant was run changes its interval, not what it is an interval of.
_NOT_PROTOCOL = ("blocks", "timeout_seconds")


@dataclass(frozen=True)
class Entry:
    """One variant in one run: its numbers, and the change against the first run's.

    ``latency`` is in nanoseconds; ``change`` a share, or None; ``note`` says what to think of it.
    """

    run: str
    artifact: str
    latency: Estimate
    size: float | None
    accuracy: Estimate
    change: float | None
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
class Refusal:
    """What is not compared with the first run, and why."""

    run: str
    what: str
    reason: str


@dataclass(frozen=True)
class StoredComparison:
    """The rows that can be compared, and what was refused."""

    runs: tuple[str, ...]
    rows: tuple[Row, ...]
    refusals: tuple[Refusal, ...]

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
    names = [str(folder.manifest().get("run", folder.path.name)) for folder in folders]
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
            differences = _differences(base.setting, variant.setting)
            if differences:
                refusals.append(Refusal(name, what, "; ".join(differences)))
            else:
                entries.append(_entry(name, variant, base))
        if len(entries) > 1:
            rows.append(Row(*key, tuple(entries)))
    if not rows:
        said = dict.fromkeys(f"{r.run}: {r.what}: {r.reason}" for r in refusals)
        shown = "; ".join(list(said)[:3]) or f"{names[0]} has no variant"
        raise BadInputError(f"nothing can be compared with {names[0]}: {shown}")
    return StoredComparison(tuple(names), tuple(rows), tuple(refusals))


def terminal(comparison: StoredComparison) -> RenderableType:
    """The rows for a terminal, and what was refused."""
    parts: list[RenderableType] = []
    for row in comparison.rows:
        table = Table(
            title=Text(
                plain(f"{row.model} · {row.recipe} on {row.device} · {row.runtime}"), style="bold"
            ),
            title_justify="left",
            box=None,
            pad_edge=False,
            header_style="dim",
        )
        table.add_column("run", overflow="fold")
        for column in ("latency", "interval", "change", "size", "accuracy"):
            table.add_column(column, justify="right")
        table.add_column("note", overflow="fold")
        for entry in row.entries:
            table.add_row(*_cells(entry))
        parts += [table, Text()]
    parts += [
        Text.assemble(("not compared: ", "yellow"), plain(f"{r.run}: {r.what}: {r.reason}"))
        for r in comparison.refusals
    ]
    parts.append(
        Text(
            "Advice only: runs of different sessions differ by more than their models. "
            "mobilebench gate gives a verdict."
        )
    )
    return Group(*parts)


_Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class _Stored:
    setting: Mapping[str, Any]
    artifact: str
    latency: Estimate
    size: float | None
    accuracy: Estimate
    dataset: Any


def _variants(folder: RunFolder) -> dict[_Key, _Stored]:
    manifest = folder.manifest()
    devices = {device["name"]: device for device in manifest["devices"]}
    runtimes = {runtime["name"]: runtime for runtime in manifest["runtimes"]}
    datasets = {(a["model"], a["recipe"]): a["dataset"] for a in manifest["artifacts"]}
    protocol = manifest["suite"]["protocol"]
    found = {}
    for c in summary_of(folder).comparisons:
        setting = _setting(devices[c.device], runtimes[c.runtime], protocol)
        for v in c.variants:
            found[c.model, v.recipe, c.device, c.runtime] = _Stored(
                setting,
                v.artifact,
                v.latency.median,
                v.size.value,
                v.accuracy,
                datasets.get((c.model, v.recipe)),
            )
    return found


def _setting(
    device: Mapping[str, Any], runtime: Mapping[str, Any], protocol: Mapping[str, Any]
) -> dict[str, Any]:
    """All that must agree, by the name that a person is told."""
    info = device.get("info", {})
    return {
        **{title: device.get(key) for key, title in _DEVICE.items()},
        **{title: info[key] for key, title in _FACTS.items() if info.get(key) is not None},
        **{f"runtime's {key}": value for key, value in runtime.items() if key != "name"},
        **{
            f"protocol's {key}": value
            for key, value in protocol.items()
            if key not in _NOT_PROTOCOL
        },
    }


def _differences(base: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [
        f"another {name} ({other.get(name, 'not recorded')}, not {base.get(name, 'not recorded')})"
        for name in dict.fromkeys((*base, *other))
        if base.get(name) != other.get(name)
    ]


def _absent(key: _Key, other: Mapping[_Key, _Stored]) -> str:
    for position, what in enumerate(("model", "recipe", "device", "runtime")):
        known = sorted({k[position] for k in other if k[:position] == key[:position]})
        if key[position] not in known:
            return f"it has no {what} {key[position]!r} there, only {', '.join(known) or 'nothing'}"
    return "it has no such variant"


def _entry(run: str, variant: _Stored, base: _Stored | None) -> Entry:
    change, notes = None, []
    latency = variant.latency
    if latency.value is None:
        notes.append(f"no latency: {latency.reason}")
    if base is not None:
        if base.artifact == variant.artifact:
            notes.append("the same file")
        if base.latency.value and latency.value is not None:
            change = latency.value / base.latency.value - 1
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


def _weigh(base: Estimate, other: Estimate) -> str:
    if base.interval is None or other.interval is None:
        return "no difference is claimed: too few trials"
    if other.interval.low > base.interval.high:
        return "slower"
    if other.interval.high < base.interval.low:
        return "faster"
    return "no difference beyond the intervals"


def _cells(entry: Entry) -> list[str]:
    latency, accuracy = entry.latency, entry.accuracy
    interval = latency.interval
    return [
        plain(entry.run),
        "—" if latency.value is None else units.duration(latency.value),
        f"{units.duration(interval.low)} to {units.duration(interval.high)}" if interval else "—",
        "" if entry.change is None else units.true_minus(f"{100 * entry.change:+.1f} %"),
        "—" if entry.size is None else units.size(entry.size),
        "—" if accuracy.value is None else units.percent(accuracy.value),
        plain(entry.note),
    ]
