"""How many multiplications a layer makes for one inference.

A multiply-accumulate (MAC) is one product added to a sum, as papers on efficient networks count
them (Sandler et al. 2018 give 300 million for MobileNetV2). Additions alone, activations and
pooling are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mobilebench.tflite.graph import Operator, Tensor

Inputs = Sequence[Tensor]

#: Operators that call others, whose work is not seen from outside.
_CALLING = ("IF", "WHILE", "CALL", "CALL_ONCE", "STABLEHLO_COMPOSITE")


def macs(operator: Operator) -> int | None:
    """The multiply-accumulates of one inference; 0 for what multiplies nothing worth counting.

    None where they cannot be known: a custom operator, or one that calls a subgraph.
    """
    if operator.kind in _CALLING or not operator.kind.isupper():
        return None
    count = _COUNTED.get(operator.kind)
    if count is None:
        return 0
    inputs = [tensor for tensor in operator.inputs if tensor is not None]
    try:
        return count(operator, inputs, operator.outputs[0])
    except IndexError:  # fewer tensors or dimensions than the operator has by its definition
        return None


def _convolution(_: Operator, inputs: Inputs, output: Tensor) -> int:
    return output.count * math.prod(inputs[1].shape[1:])  # weights: out, height, width, in


def _depthwise(_: Operator, inputs: Inputs, output: Tensor) -> int:
    return output.count * math.prod(inputs[1].shape[1:3])  # weights: 1, height, width, channels


def _volume(_: Operator, inputs: Inputs, output: Tensor) -> int:
    return output.count * math.prod(inputs[1].shape[:4])  # weights: depth, height, width, in, out


def _transposed(_: Operator, inputs: Inputs, _output: Tensor) -> int:
    # inputs: the output's shape, weights (out, height, width, in), samples
    return inputs[2].count * math.prod(inputs[1].shape[:3])


def _dense(_: Operator, inputs: Inputs, output: Tensor) -> int:
    return output.count * inputs[1].shape[-1]  # weights: out, in


def _matrices(operator: Operator, inputs: Inputs, output: Tensor) -> int:
    transposed = bool(getattr(operator.options, "adjX", False))
    return output.count * inputs[0].shape[-2 if transposed else -1]


def _recurrent(_: Operator, inputs: Inputs, _output: Tensor) -> int:
    """Every matrix of a recurrent layer is used once a step."""
    samples, rest = inputs[0], inputs[1:]
    steps = samples.shape[-2] if len(samples.shape) == 3 else 1
    return steps * sum(t.count for t in rest if t.content is not None and len(t.shape) == 2)


_COUNTED: dict[str, Callable[[Operator, Inputs, Tensor], int]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "CONV_3D": _volume,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _matrices,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
    "SVDF": _recurrent,
}
