"""The kinds of layers whose weights a scheme quantizes, each computed by an operator of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

LayerKind = Literal["dense", "convolution", "depthwise", "transposed", "embedding", "recurrent"]

_OF_OPERATOR: dict[str, LayerKind] = {
    "FULLY_CONNECTED": "dense",
    "CONV_2D": "convolution",
    "DEPTHWISE_CONV_2D": "depthwise",
    "TRANSPOSE_CONV": "transposed",
    "EMBEDDING_LOOKUP": "embedding",
    "GATHER": "embedding",
}
#: Of Keras; what is not named here has no such weights, or is computed in one way or another.
_OF_CLASS: dict[str, tuple[LayerKind, ...]] = {
    "Dense": ("dense",),
    "Conv1D": ("convolution",),
    "Conv2D": ("convolution",),
    "DepthwiseConv1D": ("depthwise",),
    "DepthwiseConv2D": ("depthwise",),
    "SeparableConv1D": ("depthwise", "convolution"),
    "SeparableConv2D": ("depthwise", "convolution"),
    "Conv2DTranspose": ("transposed",),
    "Embedding": ("embedding",),
    # Converted, each is a loop over the samples' steps.
    "SimpleRNN": ("recurrent",),
    "GRU": ("recurrent",),
    "LSTM": ("recurrent",),
    "RNN": ("recurrent",),
}


def of_operators(kinds: Iterable[str]) -> tuple[LayerKind, ...]:
    """The kinds of layers that a file's operators compute, each once."""
    return tuple(dict.fromkeys(_OF_OPERATOR[kind] for kind in kinds if kind in _OF_OPERATOR))


def of_classes(names: Iterable[str]) -> tuple[LayerKind, ...]:
    """The kinds of layers that Keras' classes are, each once."""
    return tuple(dict.fromkeys(kind for name in names for kind in _OF_CLASS.get(name, ())))
