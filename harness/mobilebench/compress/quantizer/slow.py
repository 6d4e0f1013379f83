"""Operators that the CPU runtime computes slower on integers than on floats.

XNNPACK has no integer kernels for them, so they leave the delegate for the interpreter's own, each
with a copy before and after: a small Transformer took 3.6 ms as int8 throughout, 1.4 ms in float32
and 1.3 ms with these in float; MobileNetV3-Small 6.8, 3.4 and 2.9 ms (x86-64, LiteRT 2.3).
"""

from __future__ import annotations

from mobilebench.tflite.graph import Operator, parse

#: Attention's products of two activations, activations, and what a layer normalization consists of.
_SLOW = ("BATCH_MATMUL", "HARD_SWISH", "GELU", "SQUARED_DIFFERENCE", "RSQRT")
#: Operators with weights of their own, which are what integers make fast.
_WEIGHTY = (
    "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "CONV_3D",
    "EMBEDDING_LOOKUP", "GATHER",
)  # fmt: skip


def slow_on_integers(content: bytes) -> tuple[str, ...]:
    """The names of the operators that had better stay float, and of those between them.

    What is between two of them without weights, such as an addition, would only convert the
    numbers twice.

    Args:
        content: a float32 .tflite.
    """
    operators = [o for o in parse(content, "the model").operators if not _has_weights(o)]
    slow = {o.index for o in operators if o.kind in _SLOW}
    while True:
        reached = {
            tensor.index
            for o in operators
            if o.index in slow
            for tensor in (*o.inputs, *o.outputs)
            if tensor is not None and tensor.content is None
        }
        more = {
            o.index
            for o in operators
            if any(t is not None and t.index in reached for t in (*o.inputs, *o.outputs))
        }
        if more <= slow:
            break
        slow |= more
    return tuple(
        "".join(f"{tensor.name};" for tensor in o.outputs if tensor.name)
        for o in operators
        if o.index in slow
    )


def _has_weights(operator: Operator) -> bool:
    if operator.kind == "BATCH_MATMUL":
        return any(t is not None and t.content is not None for t in operator.inputs)
    return operator.kind in _WEIGHTY
