"""What a network costs with some of its channels: parameters and multiply-accumulates.

Counted from the graph alone, so that a thousand choices of channels cost no more than one model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mobilebench.compress.channels.graph import Call, ChannelGraph
from mobilebench.models.array import Array


@dataclass(frozen=True)
class Cost:
    """Parameters, and multiply-accumulates of Dense and convolution layers for one sample.

    Normalizations, activations and pooling are not counted, nor are layers that are not known.
    """

    parameters: int
    macs: int


def cost_of(graph: ChannelGraph, keep: Array | None = None) -> Cost:
    """The cost of the network with the kept channels (channels,), by default with all."""
    keep = np.ones(graph.count, np.bool_) if keep is None else keep
    parameters = sum(_parameters(made, keep) for made in graph.layers().values())
    return Cost(parameters, sum(_macs(made, keep) for made in graph.calls))


def _parameters(made: Call, keep: Array) -> int:
    total = 0
    for weight in getattr(made.operation, "weights", ()):
        shape = list(weight.shape)
        for axis, side in (made.rule.axes[weight.name] if made.rule else {}).items():
            if side == "out":
                shape[axis] = int(keep[made.outputs[0]].sum())
            else:
                repeats = shape[axis] // len(made.inputs[0])
                shape[axis] = int(keep[made.inputs[0]].sum()) * repeats
        total += math.prod(shape)
    return total


def _macs(made: Call, keep: Array) -> int:
    kind, layer = type(made.operation).__name__, made.operation
    window = math.prod(map(int, getattr(layer, "kernel_size", ())))
    if kind != "Dense" and "Conv" not in kind:
        return 0
    taken = int(keep[made.inputs[0]].sum()) // getattr(layer, "groups", 1)
    given = int(keep[made.outputs[0]].sum())
    positions = math.prod(made.output_shape[:-1])
    if kind == "Dense":
        return positions * taken * given
    if kind.startswith("Depthwise"):
        return positions * window * given
    if kind.startswith("Separable"):
        repeated = taken * int(layer.depth_multiplier)
        return positions * repeated * (window + given)
    if kind.endswith("Transpose"):
        positions = math.prod(made.input_shape[:-1])
    return positions * window * taken * given
