"""What each kind of layer does with channels: makes them, passes them on, or joins them.

A layer that is not listed here, or is set up in a way that makes its channels depend on each
other, holds its channels: nothing that reaches it is removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Side = Literal["in", "out", "in_repeated"]
Axes = Mapping[str, Mapping[int, Side]]

_BIAS: Axes = {"bias": {-1: "out"}}
_CHANNEL: Mapping[int, Side] = {-1: "out"}


@dataclass(frozen=True)
class Rule:
    """How channels go through a layer.

    Attributes:
        flow: ``new`` (it makes its own), ``same`` (output channel i is input channel i),
            ``repeat`` (each input channel becomes several), ``merge`` (element by element from
            several inputs), ``join`` (side by side), ``reshape``.
        size: the setting that says how many channels it makes.
        axes: for each weight, which of its axes runs over input or output channels.
    """

    flow: Literal["new", "same", "repeat", "merge", "join", "reshape"]
    size: str | None = None
    axes: Axes = field(default_factory=dict)


_KERNEL: Axes = {"kernel": {-2: "in", -1: "out"}, **_BIAS}
_TRANSPOSED: Axes = {"kernel": {-2: "out", -1: "in"}, **_BIAS}
_SEPARABLE: Axes = {
    "depthwise_kernel": {-2: "in"},
    "pointwise_kernel": {-2: "in_repeated", -1: "out"},
    **_BIAS,
}
_NORMALIZATION: Axes = dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), _CHANNEL)

_PASSING = (
    # activations and noise
    *("Activation", "ReLU", "LeakyReLU", "ELU", "Identity", "ActivityRegularization"),
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    *("GaussianNoise", "GaussianDropout", "AlphaDropout"),
    # what happens in space or time
    *(
        f"{kind}{rank}D"
        for rank in (1, 2, 3)
        for kind in (
            *("MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling"),
            *("ZeroPadding", "Cropping", "UpSampling"),
        )
    ),
    *("RepeatVector", "Rescaling"),
    # operations that are no layers
    *("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Gelu", "Silu", "HardSilu"),
    *("Sigmoid", "HardSigmoid", "Tanh", "Softplus", "Softsign"),
    *("Absolute", "Negative", "Square", "Clip", "Cast", "Mean", "Max", "Min", "Sum"),
)

RULES: dict[str, Rule] = {
    "Dense": Rule("new", "units", _KERNEL),
    "Conv1D": Rule("new", "filters", _KERNEL),
    "Conv2D": Rule("new", "filters", _KERNEL),
    "Conv3D": Rule("new", "filters", _KERNEL),
    "Conv1DTranspose": Rule("new", "filters", _TRANSPOSED),
    "Conv2DTranspose": Rule("new", "filters", _TRANSPOSED),
    "Conv3DTranspose": Rule("new", "filters", _TRANSPOSED),
    "SeparableConv1D": Rule("new", "filters", _SEPARABLE),
    "SeparableConv2D": Rule("new", "filters", _SEPARABLE),
    "Embedding": Rule("new", "output_dim", {"embeddings": _CHANNEL}),
    "DepthwiseConv1D": Rule("repeat", None, {"kernel": {-2: "in"}, **_BIAS}),
    "DepthwiseConv2D": Rule("repeat", None, {"kernel": {-2: "in"}, **_BIAS}),
    "BatchNormalization": Rule("same", None, _NORMALIZATION),
    "PReLU": Rule("same", None, {"alpha": _CHANNEL}),
    **{name: Rule("same") for name in _PASSING},
    **{
        name: Rule("merge")
        for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    },
    "TrueDivide": Rule("merge"),
    "Divide": Rule("merge"),
    "Concatenate": Rule("join"),
    "Flatten": Rule("reshape"),
    "Reshape": Rule("reshape", "target_shape"),
}

#: Activations whose every output comes from one input: unlike softmax, which sees all channels.
_ELEMENTWISE = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "threshold"),
    *("silu", "swish", "mish", "hard_silu", "hard_swish", "softplus", "softsign", "squareplus"),
    *("sigmoid", "hard_sigmoid", "log_sigmoid", "exponential"),
    *("tanh", "hard_tanh", "tanh_shrink", "soft_shrink", "hard_shrink"),
)


class HeldError(Exception):
    """A layer whose channels must all stay: why, to be read after the layer's name."""


def rule_for(operation: Any) -> Rule:
    """The rule of a layer or operation.

    Raises:
        HeldError: there is none, or not for a layer that is set up like this one.
    """
    kind = type(operation)
    rule = RULES.get(kind.__name__) if kind.__module__.startswith("keras.") else None
    if rule is None:
        raise HeldError(f"is a {kind.__name__}, which may mix its channels")
    if getattr(operation, "data_format", None) == "channels_first":
        raise HeldError("has its channels first")
    if getattr(operation, "groups", 1) != 1:
        raise HeldError(f"convolves in {operation.groups} groups")
    for weight in getattr(operation, "weights", ()):
        axes = rule.axes.get(weight.name)
        if axes is None:
            raise HeldError(f"has a weight {weight.name}, which is not known")
    return rule


def mixes_channels(operation: Any) -> str | None:
    """The activation at the layer's end that sees all channels, if there is one."""
    import keras

    activation = getattr(operation, "activation", None)
    if activation is None or isinstance(activation, keras.layers.ReLU | keras.layers.LeakyReLU):
        return None
    known = {getattr(keras.activations, name, None) for name in _ELEMENTWISE}
    if activation in known:
        return None
    return str(getattr(activation, "__name__", None) or type(activation).__name__)
