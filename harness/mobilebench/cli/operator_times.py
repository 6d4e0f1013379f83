"""Time per operator on a device: measured, shown, and written for Model Explorer."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mobilebench.files import disk_errors
from mobilebench.tflite.inspect.show import short_count

if TYPE_CHECKING:
    from mobilebench.cli.terminal import RunDisplay
    from mobilebench.records.operator_times import OperatorTime, OperatorTimes
    from mobilebench.records.runtime import Runtime

#: From the shortest time to the longest, for whoever sees few colours, too.
_GRADIENT = ({"stop": 0, "bgColor": "#fff7ec"}, {"stop": 1, "bgColor": "#d7301f"})


def time_operators(
    content: bytes,
    model: str,
    devices: Sequence[str],
    runtime: Runtime,
    display: RunDisplay,
    binary: Path | None = None,
) -> list[OperatorTimes]:
    """Times each operator on each device, by default on this machine.

    Args:
        content: the file.
        model: what error messages call it.
        devices: as ``--device`` names them.
        runtime: accelerator, threads, delegate.
        display: shows the progress.
        binary: ``benchmark_model``, if its profiler is to be used.

    Raises:
        BadInputError: a device or the file cannot be had.
        InvalidRunError: a device is not fit, or cannot run any operator.
    """
    from mobilebench.devices.spec import DeviceSpec
    from mobilebench.runs import selection
    from mobilebench.runs.leases import leased
    from mobilebench.runs.operator_times import operator_times

    specs = selection.choose_devices(devices, (), binary) or (DeviceSpec(name="local"),)
    with tempfile.TemporaryDirectory(prefix="mobilebench-") as folder:
        found = []
        for spec in specs:
            device = selection.open_device(spec)
            with leased(device):
                found.append(
                    operator_times(device, content, model, runtime, Path(folder), display.timing)
                )
        return found


def shown(times: OperatorTimes) -> Group:
    """A table of all distinct operators, the longest first, and what to make of it."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("operator", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("input", overflow="fold", min_width=12)
    heading = "time alone" if times.alone else "mean time"
    table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("run by", no_wrap=True)
    for column in ("MACs", "bytes", "MAC/B", "GMAC/s"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in sorted(times.rows, key=lambda row: -(row.total_ns or 0.0)):
        table.add_row(*_cells(times, row))
    head = f"{times.device} ({times.runtime})"
    said = [
        f"{row.operator.kind} {_first(row.operator.inputs)}: {row.reason}."
        for row in times.rows
        if row.reason and row.by == "unknown"
    ]
    said += [f"Warning: {warning}." for warning in times.warnings]
    lines = (*said, *taken(times), _summary(times))
    text = "\n".join(dict.fromkeys(lines))
    return Group(Text(head, style="bold"), "", table, "", Text(text))


def taken(times: OperatorTimes) -> list[str]:
    """What a delegate took and what it left, by the operators' names."""
    counts: dict[str, dict[str, int]] = {}
    for row in times.rows:
        kinds = counts.setdefault(row.by, {})
        kinds[row.operator.kind] = kinds.get(row.operator.kind, 0) + row.operator.count
    order = [by for by in counts if by != "built-in kernels"] + ["built-in kernels"]
    return [
        f"Run by {by}: " + ", ".join(f"{n} {kind}" for kind, n in sorted(counts[by].items())) + "."
        for by in order
        if by in counts
    ]


def node_data(values: Mapping[str, float], name: str) -> dict[str, object]:
    """Microseconds by the name of each operator's first output, as Model Explorer reads them."""
    return {
        "name": name,
        "results": {key: {"value": round(value, 3)} for key, value in values.items()},
        "gradient": list(_GRADIENT),
    }


def write_node_data(path: Path, times: OperatorTimes) -> None:
    """Writes each operator's time alone for Model Explorer (*Custom node data*).

    Raises:
        InvalidRunError: the disk is full or failing.
    """
    values = {
        name: row.median_ns / 1000
        for row in times.rows
        if row.median_ns is not None
        for name in row.operator.names
        if name
    }
    what = "time alone" if times.alone else "mean time"
    write_json(path, node_data(values, f"{what} (µs), {times.device}, {times.runtime}"))


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Writes a document to a file that the user names.

    Raises:
        InvalidRunError: the disk is full or failing.
    """
    with disk_errors(path):
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False), "utf-8")


def _cells(times: OperatorTimes, row: OperatorTime) -> tuple[str | Text, ...]:
    operator, share = row.operator, times.share(row)
    known = row.median_ns is not None
    rate = ""
    if row.median_ns and operator.macs:
        rate = f"{operator.macs / row.median_ns:.3g}"
    return (
        operator.kind,
        str(operator.count),
        _first(operator.inputs),
        "unavailable"
        if row.median_ns is None or share is None
        else f"{row.median_ns / 1000:,.1f} µs {100 * share:3.0f} %",
        Text(row.by if known else "", style="" if row.by != "built-in kernels" else "yellow"),
        "?" if operator.macs is None else short_count(operator.macs),
        short_count(operator.bytes),
        "" if operator.intensity is None else f"{operator.intensity:.3g}",
        rate,
    )


def _first(inputs: Sequence[str]) -> str:
    return inputs[0] if inputs else ""


def _summary(times: OperatorTimes) -> str:
    if not times.alone:
        return f"Within the model its operators take {times.sum_ns / 1e6:.3f} ms together."
    alone = f"All operators alone take {times.sum_ns / 1e6:.3f} ms together"
    if times.model_ns is None:
        return f"{alone}."
    return (
        f"{alone}, the model {times.model_ns / 1e6:.3f} ms: alone an operator's data stay in the "
        "cache, so that large ones look faster than they are, and a delegate runs neighbours as "
        "one."
    )
