"""Which layers two thin ones can take the place of, and how these are made and filled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebench.compress.lowrank import projections
from mobilebench.compress.lowrank.projections import Factors
from mobilebench.models.array import Array
from mobilebench.models.copies import take_state


@dataclass(frozen=True)
class Pair:
    """What takes a layer's place.

    Attributes:
        ranks: the width between the two layers, under the old layer's name.
        kernels: the variables that are split.
        build: makes the two layers under the old name, with fresh weights.
        fill: gives them their weights.
        multiply: gives a copy of the old layer the product of both.
    """

    ranks: dict[str, int]
    kernels: tuple[Any, ...]
    build: Callable[[], Any]
    fill: Callable[[Any], None]
    multiply: Callable[[Any], None]


def pair_of(layer: Any, factors: Factors) -> Pair | None:
    """What takes a layer's place; None where it stays."""
    import keras

    kinds = keras.layers
    if isinstance(layer, kinds.Dense):
        return _matrix(layer, factors, "units")
    if isinstance(layer, kinds.Conv2D) and set(layer.kernel_size) == {1} and layer.groups == 1:
        return _matrix(layer, factors, "filters")
    if type(layer) is kinds.MultiHeadAttention:  # a class of the user's may compute otherwise
        return _attention(layer, factors)
    for kind, make in (
        (kinds.EinsumDense, _einsum),
        (kinds.Embedding, _embedding),
        (kinds.LSTM | kinds.GRU | kinds.SimpleRNN | kinds.Bidirectional, _recurrent),
    ):
        if isinstance(layer, kind):
            return make(layer, factors)
    return None


def _matrix(layer: Any, factors: Factors, width: str) -> Pair | None:
    """Of a Dense layer or a 1 x 1 convolution: a narrow linear layer and one of the old width."""
    import keras

    kernel = layer.kernel.numpy()
    found = factors(kernel.reshape(kernel.shape[-2:]))
    if found is None:
        return None
    narrow, wide = found
    ends = kernel.shape[:-2]

    def build() -> Any:
        config = layer.get_config()
        first = {**config, "name": f"{layer.name}_narrow", "use_bias": False, "activation": None}
        first[width] = narrow.shape[-1]
        if "strides" in config:  # the narrow one has skipped what the wide one would
            config = {**config, "strides": (1, 1)}
        second = {**config, "name": f"{layer.name}_wide"}
        kind = type(layer)
        pair = [kind.from_config(first), kind.from_config(second)]
        return keras.Sequential(pair, name=layer.name)

    def fill(pair: Any) -> None:
        first, second = pair.layers
        first.set_weights([narrow.reshape(*ends, *narrow.shape)])
        second.set_weights([wide.reshape(*ends, *wide.shape), *layer.get_weights()[1:]])

    def multiply(copy: Any) -> None:
        copy.kernel.assign((narrow @ wide).reshape(kernel.shape))

    return Pair({layer.name: narrow.shape[-1]}, (layer.kernel,), build, fill, multiply)


def _einsum(layer: Any, factors: Factors) -> Pair | None:
    """Of an einsum with a kernel: two of them."""
    found = projections.factors_of(layer, factors)
    if found is None:
        return None
    rank = found[0].shape[-1]
    return Pair(
        {layer.name: rank},
        (layer.kernel,),
        lambda: projections.thin(layer, rank),
        lambda pair: projections.fill(pair, layer, *found),
        lambda copy: projections.multiply(copy, *found),
    )


def _attention(layer: Any, factors: Factors) -> Pair | None:
    """Of attention: each projection that becomes smaller as two."""
    own = projections.projections_of(layer)
    tried = {name: projections.factors_of(dense, factors) for name, dense in own.items()}
    found = {name: pair for name, pair in tried.items() if pair is not None}
    if not found:
        return None
    ranks = {name: narrow.shape[-1] for name, (narrow, _) in found.items()}

    def build() -> Any:
        return projections.thin_attention()(ranks=ranks, **layer.get_config())

    def fill(thin: Any) -> None:
        for name, dense in projections.projections_of(thin).items():
            if name in found:
                projections.fill(dense, own[name], *found[name])
            else:
                take_state(dense, own[name])

    def multiply(copy: Any) -> None:
        copied = projections.projections_of(copy)
        for name, pair in found.items():
            projections.multiply(copied[name], *pair)

    named = {f"{layer.name}/{name}": rank for name, rank in ranks.items()}
    kernels = tuple(own[name].kernel for name in found)
    return Pair(named, kernels, build, fill, multiply)


def _embedding(layer: Any, factors: Factors) -> Pair | None:
    """Of an embedding: one of shorter rows, and a linear layer."""
    import keras

    found = factors(layer.embeddings.numpy())
    plain = type(layer) is keras.layers.Embedding and not layer.mask_zero and layer._inbound_nodes
    if found is None or not plain:
        return None
    narrow, wide = found
    given = layer._inbound_nodes[-1].input_tensors[0]

    def build() -> Any:
        config = {**layer.get_config(), "name": f"{layer.name}_narrow"}
        first = keras.layers.Embedding.from_config({**config, "output_dim": narrow.shape[-1]})
        second = keras.layers.Dense(wide.shape[-1], use_bias=False, name=f"{layer.name}_wide")
        # Left to itself it would take numbers of rows as real ones.
        numbers = keras.Input(given.shape[1:], dtype=given.dtype)
        return keras.Sequential([numbers, first, second], name=layer.name)

    def fill(pair: Any) -> None:
        first, second = pair.layers
        first.set_weights([narrow])
        second.set_weights([wide])

    def multiply(copy: Any) -> None:
        copy.embeddings.assign(narrow @ wide)

    return Pair({layer.name: narrow.shape[-1]}, (layer.embeddings,), build, fill, multiply)


def _recurrent(layer: Any, factors: Factors) -> Pair | None:
    """Of what recurrent layers multiply their inputs with: a linear layer goes before them."""
    import keras

    inner = _directions(layer)
    if not inner or _takes_more(layer) or any(one.return_state for one in inner):
        return None  # states come and go beside the sequence, and a pair passes no mask on
    kernels = tuple(one.cell.kernel for one in inner)
    found = factors(np.concatenate([kernel.numpy() for kernel in kernels], axis=1))
    if found is None:
        return None
    narrow, wide = found
    widths = np.cumsum([kernel.shape[1] for kernel in kernels])[:-1]

    def build() -> Any:
        first = keras.layers.Dense(narrow.shape[1], use_bias=False, name=f"{layer.name}_narrow")
        second = type(layer).from_config({**_unbuilt(layer), "name": f"{layer.name}_wide"})
        return keras.Sequential([first, second], name=layer.name)

    def fill(pair: Any) -> None:
        first, second = pair.layers
        first.set_weights([narrow])
        _fill(second, np.split(wide, widths, axis=1))
        for one, old in zip(_directions(second), inner, strict=True):
            _take_others(one.cell, old.cell)

    def multiply(copy: Any) -> None:
        _fill(copy, np.split(narrow @ wide, widths, axis=1))

    return Pair({layer.name: narrow.shape[1]}, kernels, build, fill, multiply)


def _directions(layer: Any) -> list[Any]:
    """The recurrent layers of one, or of a bidirectional one; none if of other kinds."""
    import keras

    kinds = keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN
    inner = [layer]
    if isinstance(layer, keras.layers.Bidirectional):
        inner = [layer.forward_layer, layer.backward_layer]
    return inner if all(isinstance(one, kinds) for one in inner) else []


def _takes_more(layer: Any) -> bool:
    """Whether it is called with more than a sequence: with states, or with a mask."""
    import keras

    if not layer._inbound_nodes:
        return True
    called = layer._inbound_nodes[-1].arguments
    tensors = [t for t in keras.tree.flatten((called.args, called.kwargs)) if _is_tensor(t)]
    return len(tensors) != 1 or getattr(tensors[0], "_keras_mask", None) is not None


def _is_tensor(value: Any) -> bool:
    import keras

    return isinstance(value, keras.KerasTensor)


def _unbuilt(layer: Any) -> dict[str, Any]:
    """A layer's configuration, without the shapes that those within it were built for."""
    config = dict(layer.get_config())
    for name in ("layer", "backward_layer"):
        if isinstance(config.get(name), dict):
            config[name] = {k: v for k, v in config[name].items() if k != "build_config"}
    return config


def _fill(layer: Any, kernels: Sequence[Array]) -> None:
    for one, kernel in zip(_directions(layer), kernels, strict=True):
        one.cell.kernel.assign(kernel)


def _take_others(cell: Any, old: Any) -> None:
    """All weights of a cell but its kernel."""
    for variable, source in zip(cell.weights, old.weights, strict=True):
        if source is not old.kernel:
            variable.assign(source)
