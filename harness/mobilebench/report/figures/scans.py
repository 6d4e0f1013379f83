"""The scans that pruning by sensitivity chose its rates from, as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mobilebench.report.figures.drawing import BLUE, INK, PAPER, STYLE, VERMILLION, Picture, svg
from mobilebench.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mobilebench.records.run import Run

#: Scans and layers that are drawn at most, the layers with most weights.
MOST_SCANS = 8
MOST_LAYERS = 40
#: Longer names lose their beginning, which layers share.
_LONGEST_NAME = 34


@dataclass(frozen=True)
class _Layer:
    name: str
    weights: int
    accuracies: list[float]
    rate: float


def scan_pictures(run: Run) -> list[Picture]:
    """A picture for each scan of a run, whichever recipes go on from it.

    A scan that is not as a recipe writes it is passed over.
    """
    drawn: dict[tuple[str, str], Picture] = {}
    with mpl.rc_context(STYLE):
        for model, step, document in _scans(run):
            if (model, step) not in drawn and len(drawn) < MOST_SCANS:
                drawn[model, step] = _picture(model, step, document)
    return list(drawn.values())


def _scans(run: Run) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for artifact in run.artifacts:
        for step in artifact.provenance.steps:
            if step.sensitivity is not None and _is_sound(step.sensitivity):
                yield artifact.model, step.step, step.sensitivity


def _is_sound(document: Mapping[str, Any]) -> bool:
    levels, layers = document.get("levels"), document.get("layers")
    if not isinstance(levels, list) or not isinstance(layers, list) or not layers:
        return False
    return all(
        isinstance(layer, dict)
        and isinstance(layer.get("accuracy"), list)
        and len(layer["accuracy"]) == len(levels)
        and all(isinstance(n, int | float) for n in (*layer["accuracy"], *levels))
        and isinstance(layer.get("rate"), int | float)
        and isinstance(layer.get("weights"), int)
        for layer in layers
    )


def _picture(model: str, step: str, document: Mapping[str, Any]) -> Picture:
    levels = [float(level) for level in document["levels"]]
    every = [
        _Layer(str(e.get("name", "")), e["weights"], e["accuracy"], float(e["rate"]))
        for e in document["layers"]
    ]
    largest = sorted(range(len(every)), key=lambda number: -every[number].weights)[:MOST_LAYERS]
    layers = [every[number] for number in sorted(largest)]
    figure = Figure(figsize=(7.2, 0.75 + 0.36 * len(layers)), layout="constrained")
    axes = figure.add_subplot()
    for row, layer in enumerate(layers):
        _row(axes, -row, layer)
    rates = [np.interp(layer.rate, levels, range(len(levels))) for layer in layers]
    axes.plot(
        rates, [-row - 0.33 for row in range(len(layers))], ls="", marker="^", ms=6, mfc=BLUE,
        mec=PAPER, mew=0.8, zorder=4,
    )  # fmt: skip
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.set_ylim(-len(layers) + 0.5, 0.5)
    axes.set_xticks(range(len(levels)), [f"{100 * level:g}" for level in levels])
    axes.set_yticks(
        [-row for row in range(len(layers))],
        [f"{_short(layer.name)}  ({layer.weights:,})" for layer in layers],
        parse_math=False,
    )
    axes.set_xlabel("Zeros in this layer alone (%)")
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    title = f"Sensitivity of each layer: {plain(model)}, {plain(step)}"
    caption = (
        f"Accuracy (%) with one layer pruned and nothing retrained, on {document.get('samples')} "
        "samples split off the training data; the darker, the more is lost. In brackets: weights. "
        "Triangle: the rate that the layer was given."
    )
    if len(every) > len(layers):
        caption += f" {len(every) - len(layers)} smaller layers are not drawn."
    return Picture(title, caption, svg(figure, title))


def _row(axes: Any, y: int, layer: _Layer) -> None:
    whole = layer.accuracies[0]
    for column, accuracy in enumerate(layer.accuracies):
        lost = min(max((whole - accuracy) / whole, 0.0), 1.0) if whole > 0 else 0.0
        axes.add_patch(
            Rectangle((column - 0.48, y - 0.44), 0.96, 0.88, lw=0, fc=VERMILLION, alpha=0.75 * lost)
        )
        axes.text(column, y + 0.13, f"{100 * accuracy:.0f}", ha="center", va="center_baseline",
                  fontsize=8, color=INK, zorder=3)  # fmt: skip


def _short(name: str) -> str:
    name = plain(name)
    return name if len(name) <= _LONGEST_NAME else "…" + name[-_LONGEST_NAME:]
