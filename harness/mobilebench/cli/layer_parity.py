"""Operator by operator: what a device computes against the plain kernels of this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mobilebench.analysis import units

if TYPE_CHECKING:
    from mobilebench.cli.terminal import RunDisplay
    from mobilebench.records.runtime import Runtime
    from mobilebench.runs.layer_finding import LayerParity


def debug_answers(
    content: bytes,
    model: str,
    data: str | None,
    devices: Sequence[str],
    runtime: Runtime,
    display: RunDisplay,
) -> list[LayerParity]:
    """Compares a file operator by operator on each device, by default on this machine.

    Args:
        content: the file.
        model: what error messages call it.
        data: as ``--data`` names them; None: seeded noise.
        devices: as ``--device`` names them.
        runtime: accelerator, threads, delegate.
        display: shows the progress.

    Raises:
        BadInputError: the data, a device or the file cannot be had or do not fit.
        InvalidRunError: a device cannot run the file at all.
    """
    from mobilebench.devices.spec import DeviceSpec
    from mobilebench.runs import selection
    from mobilebench.runs.debug_samples import samples_for
    from mobilebench.runs.layer_parity import compare
    from mobilebench.runs.leases import leased

    specs = selection.choose_devices(devices, ()) or (DeviceSpec(name="local"),)
    found = []
    with tempfile.TemporaryDirectory(prefix="mobilebench-") as folder:
        content, samples = samples_for(content, model, data, Path(folder))
        for spec in specs:
            device = selection.open_device(spec)
            with leased(device):
                device.probe()
                found.append(
                    compare(
                        device, content, model, samples, runtime, Path(folder), display.comparing
                    )
                )
    return found


def show_operators(run: Path) -> None:
    """Prints, for each variant of a run whose answers are not its file's, its operators.

    Raises:
        BadInputError: a device or what the variant was asked cannot be had any more.
        InvalidRunError: a device cannot run the file at all.
    """
    from mobilebench.cli.terminal import RunDisplay, output, quiet_libraries
    from mobilebench.runs.debug_run import debug_answers_of
    from mobilebench.store.folder import RunFolder

    with quiet_libraries() as console, RunDisplay(console) as display:
        found = list(debug_answers_of(RunFolder.open(run), display.comparing))
    for key, operators in found:
        output().print("", shown(operators, str(key)), highlight=False)
    if not found:
        output().print("Operators: every variant's answers are its file's; none was looked at.")


def shown(found: LayerParity, title: str = "") -> Group:
    """A table of all operators, and what it says."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("no.", justify="right", no_wrap=True)
    table.add_column("operator", no_wrap=True)
    table.add_column("output", overflow="ellipsis", no_wrap=True, max_width=40)
    table.add_column("parity alone", justify="right", no_wrap=True)
    table.add_column("parity so far", justify="right", no_wrap=True)
    for row in found.tensors:
        table.add_row(
            str(row.operator),
            row.kind,
            Text(row.output),
            _cell(row.alone, row.alone_differs),
            _cell(row.so_far, row.so_far_differs),
            style="bold" if row.operator == found.first else None,
        )
    kind = "samples of data" if found.source == "data" else "samples of seeded noise"
    head = f"{title or found.device}: {found.samples} {kind}, at least {found.least_db:g} dB"
    said = [f"Operator {r.operator} ({r.kind}): {r.reason}." for r in found.tensors if r.reason]
    text = "\n".join([*dict.fromkeys(said), found.sentence])
    return Group(Text(head, style="bold"), "", table, "", Text(text))


def _cell(snr_db: float | None, differs: bool) -> Text:
    if snr_db is None:
        return Text("unavailable", style="dim")
    return Text(units.decibels(snr_db), style="red" if differs else "")
