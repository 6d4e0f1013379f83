"""``mobilebench sensitivity``: the scan that ``prune(…, scope=sensitivity)`` goes by, by itself."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from mobilebench.compress.artifact import Failure, Progress
from mobilebench.errors import BadInputError
from mobilebench.models.sources import find_source
from mobilebench.runs.compress_files import make_files

#: What is pruned to see the curves, which are the same for every budget.
_HALF = 0.5
#: The levels that a terminal has room for.
_SHOWN = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)


def scan_layers(
    model: str,
    data: str | None,
    *,
    sparsity: float,
    importance: str,
    pattern: str | None,
    seed: int,
    on_progress: Callable[[Progress], None],
) -> dict[str, Any]:
    """Each layer's curve, and its rate for the given sparsity.

    Returns:
        as ``mobilebench.compress.pruning.sensitivity.Scan.document`` has it, with ``model`` and
        ``sparsity``.

    Raises:
        BadInputError: the model or its data cannot be scanned.
    """
    from mobilebench.compress.pruning.sensitivity import Scan

    source = find_source(model)
    if not source.trainable:
        raise BadInputError(
            f"model {model}: {source.called} cannot be scanned, since weights are taken away "
            "before it is made; give the .keras file that it was made of, or zoo:NAME"
        )
    if data is None and source.zoo is None:
        raise BadInputError(
            f"model {model}: the scan reads the accuracy on training data; give some with --data"
        )
    settings = f"importance={importance}" + (f", pattern='{pattern}'" if pattern else "")
    recipe = f"prune({_HALF}, scope=sensitivity, schedule=once, epochs=0, {settings})"
    with tempfile.TemporaryDirectory() as folder:
        (made,) = make_files(model, [recipe], {"data": data}, seed, Path(folder), on_progress)
    if isinstance(made, Failure):
        raise BadInputError(f"model {model}: {made.reason}")
    scan = Scan.read(made.provenance["steps"][-1]["sensitivity"])
    return {"model": model, "sparsity": sparsity, **scan.document(scan.rates(sparsity))}


def as_table(document: Mapping[str, Any]) -> Table:
    """The document for a terminal: a layer a line, its accuracy at some of the levels."""
    table = Table(
        title=Text(
            f"Accuracy (%) with one layer pruned, on {document['samples']} samples of the "
            "training data",
            style="dim",
        ),
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    table.add_column("layer", overflow="fold")
    table.add_column("weights", justify="right")
    columns = [number for number, level in enumerate(document["levels"]) if level in _SHOWN]
    for number in columns:
        level = document["levels"][number]
        table.add_column(f"{100 * level:g} %" if level else "whole", justify="right")
    table.add_column(f"rate for {100 * document['sparsity']:g} %", justify="right")
    for layer in document["layers"]:
        table.add_row(
            layer["name"],
            f"{layer['weights']:,}",
            *(_coloured(layer["accuracy"], number) for number in columns),
            Text(f"{100 * layer['rate']:.1f} %", style="bold"),
        )
    return table


def _coloured(accuracies: list[float], number: int) -> Text:
    """Yellow where two points are lost, red where ten are."""
    lost = accuracies[0] - accuracies[number]
    style = "red" if lost >= 0.1 else "yellow" if lost >= 0.02 else ""
    return Text(f"{100 * accuracies[number]:.1f}", style=style)
