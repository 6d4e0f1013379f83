"""Copies of Keras models that answer as their originals.

Weights are not all that a layer is: an adapted Normalization computes with what it made of its
weights, a lookup with a vocabulary. Keras' own way to save and load a layer knows, so copies are
made by it, layer by layer and in memory, and compared before anybody goes on from them.
"""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np

from mobilebench.errors import BadInputError, first_line
from mobilebench.models.array import Array

#: How far a copy's answers may be from the original's, as a share of the largest.
_TOLERANCE = 1e-4
#: What the noise is multiplied with: some inputs reach from 0 to 1, some to 255.
_REACHES = (1, 1, 255, 255)


def copy_of(model: Any) -> Any:
    """A model of the same architecture and state that shares nothing with the first.

    Raises:
        BadInputError: a copy does not answer as the model does.
    """
    import keras

    try:
        copy = keras.models.clone_model(model)
    except Exception as error:  # Keras raises whatever a layer's own code provokes
        raise BadInputError(f"Keras cannot copy {model.name!r}: {first_line(error)}") from error
    take_state(copy, model)
    require_alike(copy, model)
    return copy


def fresh_copy(model: Any) -> Any:
    """A model of the same architecture with fresh random weights.

    What layers were adapted to in the data stays: no training would bring it back.
    """
    import keras

    copy = keras.models.clone_model(model)
    for layer, source in zip(flat(copy), flat(model), strict=True):
        if hasattr(source, "adapt"):
            _take_own(layer, source)
    return copy


def take_state(layer: Any, source: Any) -> None:
    """Gives a layer or model all that another of the same architecture has learned.

    Raises:
        BadInputError: they are not alike.
    """
    try:
        for one, other in zip(flat(layer), flat(source), strict=True):
            _take_own(one, other)
    except (ValueError, KeyError) as error:
        raise BadInputError(
            f"Keras cannot copy {type(source).__name__} {source.name!r}: {first_line(error)}"
        ) from error


def require_alike(copy: Any, model: Any) -> None:
    """Compares a copy's answers with the model's on seeded noise, without training.

    Raises:
        BadInputError: they differ; it names the layer where they begin to, if that can be seen.
    """
    given, wanted = _answered(model)
    apart = _apart(copy(given, training=False), wanted)
    if apart > _TOLERANCE:
        raise BadInputError(
            f"a copy of model {model.name!r} answers otherwise than the model, by {apart:.2g} of "
            f"its largest output: {_culprits(copy, model, given)}; a layer must have all that it "
            "computes with in its configuration and its weights, to be trained on here"
        )


def noise_for(model: Any, reaches: tuple[int, ...], seed: int = 0) -> Any:
    """Seeded noise from 0 to each reach, a sample each, as a model takes it.

    What an embedding looks up gets numbers of its rows, other integers are zeros.
    """
    import keras

    random = np.random.default_rng(seed)
    rows = _rows_looked_up(model)
    samples = []
    for tensor in model.inputs:
        shape = (len(reaches), *(n or 1 for n in tensor.shape[1:]))
        values = np.zeros(shape)
        if tensor.name in rows:
            values = random.integers(0, rows[tensor.name], shape)
        elif "float" in str(tensor.dtype):
            values = random.random(shape) * np.reshape(reaches, (-1, *[1] * (len(shape) - 1)))
        samples.append(keras.ops.convert_to_tensor(values, dtype=tensor.dtype))
    return samples if len(samples) > 1 else samples[0]


def _rows_looked_up(model: Any) -> dict[str, int]:
    """How many rows the smallest table has that an input is looked up in, by the input's name."""
    import keras

    found: dict[str, int] = {}
    for layer in flat(model):
        if not isinstance(layer, keras.layers.Embedding):
            continue
        for node in layer._inbound_nodes:
            for tensor in node.input_tensors:
                if isinstance(tensor._keras_history.operation, keras.layers.InputLayer):
                    rows = int(layer.input_dim)
                    found[tensor.name] = min(rows, found.get(tensor.name, rows))
    return found


def _answered(model: Any) -> tuple[Any, Any]:
    """Noise that a model takes, and its answers: zeros where it takes no other numbers."""
    try:
        given = noise_for(model, _REACHES)
        return given, model(given, training=False)
    except Exception as error:  # a table has no such row, or whatever a layer's code provokes
        given = noise_for(model, (0,))
        try:
            return given, model(given, training=False)
        except Exception:
            raise BadInputError(
                f"model {model.name!r} cannot be run on noise, by which a copy is compared with "
                f"it: {first_line(error)}"
            ) from error


def flat(layer: Any) -> list[Any]:
    """A layer with all layers in it, in the order in which they were made."""
    import keras

    inner = layer.layers if isinstance(layer, keras.Model) else layer._layers
    return [layer, *(found for sublayer in inner for found in flat(sublayer))]


def _take_own(layer: Any, source: Any) -> None:
    """A layer's own state, without that of the layers in it."""
    store: dict[str, Any] = {}
    source.save_own_variables(store)
    if store:
        layer.load_own_variables(store)
    if hasattr(source, "save_assets"):  # a vocabulary, which Keras keeps in files
        with tempfile.TemporaryDirectory() as folder:
            source.save_assets(folder)
            layer.load_assets(folder)


def _apart(found: Any, wanted: Any) -> float:
    """The largest difference of two structures of tensors, as a share of the largest value."""
    import keras

    worst = 0.0
    pairs = zip(keras.tree.flatten(found), keras.tree.flatten(wanted), strict=True)
    for one, other in pairs:
        a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
        if not np.array_equal(a, b, equal_nan=True):
            worst = max(worst, _largest(a - b) / max(_largest(b), 1e-6))
    return worst


def _largest(values: Array) -> float:
    """The largest absolute value; infinity where one is no number."""
    largest = float(np.abs(values).max(initial=0.0))
    return largest if np.isfinite(largest) else float("inf")


def _culprits(copy: Any, model: Any, given: Any) -> str:
    """The first layer that answers otherwise, or else the layers that are not Keras' own."""
    import keras

    try:
        probes = [
            keras.Model(m.inputs, [layer._inbound_nodes[-1].output_tensors for layer in m.layers])
            for m in (copy, model)
        ]
        answers = [probe(given, training=False) for probe in probes]
        for layer, one, other in zip(model.layers, *answers, strict=True):
            if _apart(one, other) > _TOLERANCE:
                return f"they part at layer {layer.name!r} ({type(layer).__name__})"
    except Exception as error:  # no functional graph, or one that shares layers with another
        why = first_line(error)
    else:
        why = "each layer alone answers alike"
    kinds = {type(x) for x in flat(model)[1:]}
    own = {kind for kind in kinds if not kind.__module__.startswith("keras.")}
    names = ", ".join(sorted(kind.__name__ for kind in own or kinds))
    return f"which layer it is cannot be seen ({why}), and they are {names}"
