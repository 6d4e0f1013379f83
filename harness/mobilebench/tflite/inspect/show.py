"""An inspection for a person: tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mobilebench.text import percent
from mobilebench.tflite.inspect.changes import Change, plain
from mobilebench.tflite.inspect.layers import Layer, ModelFacts

#: The times of operators alone (ns), by index.
Times = Mapping[int, int | None]


def one(facts: ModelFacts, times: Times | None = None) -> Group:
    """One model: what it is, and each of its layers."""
    table = _table(values=times is None)  # a terminal has no room for both
    if times is not None:
        table.add_column("time alone", justify="right", no_wrap=True)
    whole = sum(t or 0 for t in (times or {}).values())
    for layer in facts.layers:
        cells = _cells(layer)
        if times is not None:
            del cells[-2]
            cells.append(_share(times.get(layer.index), whole))
        table.add_row(*cells)
    return Group(_headline(facts), "", table)


def two(before: ModelFacts, after: ModelFacts, changed: Iterable[Change]) -> Group:
    """Two models side by side: what is different, layer by layer."""
    totals = Table(box=None, pad_edge=False, header_style="bold")
    totals.add_column("")
    for name in (before.name, after.name, "change"):
        totals.add_column(name, justify="right", overflow="fold")
    for what, old, new in (
        ("file, bytes", before.bytes, after.bytes),
        ("weights", before.weights, after.weights),
        ("weights, bytes", before.weight_bytes, after.weight_bytes),
        ("MACs", before.macs, after.macs),
    ):
        totals.add_row(what, f"{old:,}", f"{new:,}", _ratio(old, new))
    totals.add_row("zeros", _percent(before.zeros), _percent(after.zeros))
    totals.add_row("operators", str(len(before.layers)), str(len(after.layers)))
    table = _table()
    for change in changed:
        if change.is_one:
            for row in _rows(change):
                table.add_row(*row)
    return Group(totals, "", table if table.row_count else "No layer differs.")


def _table(values: bool = True) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("operator", no_wrap=True)
    table.add_column("layer", overflow="ellipsis", no_wrap=True, max_width=16)
    table.add_column("output", no_wrap=True, max_width=14)
    for column in ("weights", "bytes", "MACs", "zeros", *(["values"] if values else ())):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("stored as", min_width=12)
    return table


def _headline(facts: ModelFacts) -> Text:
    macs = f"{facts.macs:,} MACs"
    if facts.unknown_macs:
        macs += f" and those of {', '.join(facts.unknown_macs)}, which cannot be counted"
    lines = [
        f"{facts.bytes:,} bytes, {facts.weights:,} weights in {facts.weight_bytes:,} bytes, {macs}",
        facts.interface,
    ]
    if facts.open:
        lines.append(
            f"shapes and MACs are those of {', '.join(facts.inputs)}: --input-shape gives another"
        )
    if facts.subgraphs > 1:
        lines.append(f"{facts.subgraphs} subgraphs, of which the first is shown")
    return Text.assemble((facts.name, "bold"), "\n", "\n".join(lines))


def _name(layer: Layer) -> str:
    """The layer's own name within the path of scopes that a converter made of it."""
    parts = [part for part in plain(layer.name).split("/") if part]
    return parts[-2] if len(parts) > 1 else "".join(parts)


def _cells(layer: Layer) -> list[str]:
    return [
        layer.operator,
        _name(layer),
        _shapes(layer.outputs),
        short_count(layer.weights),
        short_count(layer.bytes),
        "?" if layer.macs is None else short_count(layer.macs),
        _percent(layer.zeros),
        "" if layer.distinct is None else short_count(layer.distinct),
        _scheme(layer),
    ]


def _rows(change: Change) -> list[list[str | Text]]:
    """A layer that is gone or new in one line, else before and below it what is different after."""
    if change.before is None or change.after is None:
        layer = change.before or change.after
        assert layer is not None
        style = "red" if change.after is None else "green"
        mark = "− " if change.after is None else "+ "
        operator, *rest = _cells(layer)
        return [[Text(mark + operator, style=style), *rest]]
    before, after = _cells(change.before), _cells(change.after)
    below: list[str | Text] = [
        Text("" if old == new else new or "0", style="green")
        for old, new in zip(before[2:], after[2:], strict=True)
    ]
    return [[*before], [Text("→", justify="right"), "", *below]]


def _scheme(layer: Layer) -> str:
    scheme = layer.scheme.replace(", per channel", "")  # the usual; JSON has it
    return f"{scheme}, sparse" if layer.sparse else scheme


def _share(time: int | None, whole: int) -> str:
    return "" if time is None else f"{time / 1000:,.1f} µs {percent(time / whole, 0):>5}"


def _shapes(shapes: tuple[tuple[int, ...], ...]) -> str:
    return ", ".join("×".join(map(str, shape)) or "scalar" for shape in shapes)


def short_count(number: int) -> str:
    """Three figures, as a table has room for; JSON has them all."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= 10 * size or (number >= size > 10**3):
            return f"{number / size:.3g}{unit}"
    return f"{number:,}" if number else ""


def _percent(share: float | None) -> str:
    return "" if share is None else "0 %" if share == 0 else percent(share)


def _ratio(old: int, new: int) -> str:
    if not old or not new or old == new:
        return "the same" if old == new else ""
    return f"{old / new:.2f}× smaller" if new < old else f"{new / old:.2f}× larger"
