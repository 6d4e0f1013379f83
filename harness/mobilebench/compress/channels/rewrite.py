"""The model without the removed channels, and what it must compute.

*Masked* means: after every layer and operation, what belongs to a removed channel is set to
zero, whatever bias, normalization or activation made of it. The model without those channels
computes the same, up to rounding: nothing of the next layer's sums is left out but zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilebench.compress.channels.graph import Call, ChannelGraph, Path
from mobilebench.compress.channels.walk import call, layers_by_path, walk
from mobilebench.errors import StepError, first_line
from mobilebench.models.array import Array
from mobilebench.models.copies import noise_for, take_state

#: How far the smaller model may be from the masked one, as a share of the largest output.
_TOLERANCE = 1e-4


def shrink(model: Any, graph: ChannelGraph, keep: Array) -> Any:
    """A new model with the kept channels only; the one before stays as it is.

    Args:
        model: the model that ``graph`` was read from.
        graph: its channels.
        keep: (channels,) which of them stay.

    Raises:
        StepError: Keras cannot build the model again from its own description.
    """
    layers = graph.layers()
    config = model.get_config()
    _cut_config(config, (), layers, graph, keep)
    try:
        smaller = type(model).from_config(config)
    except Exception as error:  # Keras raises whatever a layer's own code provokes
        raise StepError(
            f"Keras cannot build model {model.name!r} again without the removed channels: "
            f"{first_line(error)}"
        ) from error
    old = dict(layers_by_path(model))
    for path, layer in layers_by_path(smaller):
        made = layers.get(path)
        if made is None or made.rule is None or not made.rule.axes:
            take_state(layer, old[path])
        else:
            layer.set_weights(_cut_weights(old[path], made, keep))
    return smaller


def run_masked(model: Any, graph: ChannelGraph, keep: Array, inputs: list[Any]) -> list[Any]:
    """The outputs of the model when removed channels are zero wherever they appear.

    Args:
        model: the model that ``graph`` was read from.
        graph: its channels.
        keep: (channels,) which of them stay.
        inputs: one batch for each input.
    """
    calls = iter(graph.calls)

    def visit(operation: Any, _path: Path, node: Any, values: list[Any]) -> list[Any]:
        outputs = call(operation, node, values)
        masks = [keep[channels] for channels in next(calls).outputs]
        return [
            value if mask.all() else value * mask.astype(value.dtype.as_numpy_dtype)
            for value, mask in zip(outputs, masks, strict=True)
        ]

    return walk(model, inputs, visit)


def deviation(model: Any, smaller: Any, graph: ChannelGraph, keep: Array, seed: int) -> float:
    """How far the smaller model is from the masked one on noise.

    Returns:
        the largest difference, as a share of the largest output.

    Raises:
        StepError: it is not the same network.
    """
    import keras

    samples = keras.tree.flatten(noise_for(model, (1, 1), seed))
    wanted = run_masked(model, graph, keep, samples)
    found = walk(smaller, samples, lambda operation, _, node, v: call(operation, node, v))
    worst = 0.0
    for one, other in zip(wanted, found, strict=True):
        a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
        worst = max(worst, float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-6)))
    if not worst <= _TOLERANCE:
        raise StepError(
            f"the model without the removed channels differs by {worst:.2g} of its largest "
            "output from the one in which they are zero: a layer in it is not understood"
        )
    return worst


def _cut_config(
    config: dict[str, Any],
    path: Path,
    layers: dict[Path, Call],
    graph: ChannelGraph,
    keep: Array,
) -> None:
    for entry in config["layers"]:
        entry.pop("build_config", None)  # it has shapes, and is only a hint
        settings = entry["config"]
        where = (*path, str(entry.get("name") or settings.get("name")))
        entrance = graph.entrances.get(where)
        if "layers" in settings:
            _cut_config(settings, where, layers, graph, keep)
        elif entrance is not None:
            settings["batch_shape"] = _with_last(settings["batch_shape"], entrance, keep)
        elif where in layers:
            made = layers[where]
            if made.rule is not None and made.rule.size is not None:
                _cut_size(settings, made.rule.size, int(keep[made.outputs[0]].sum()))
    if config.get("build_input_shape"):
        entrance = next((c for p, c in graph.entrances.items() if p[:-1] == path), None)
        if entrance is not None:
            config["build_input_shape"] = _with_last(config["build_input_shape"], entrance, keep)


def _cut_size(settings: dict[str, Any], name: str, count: int) -> None:
    if name != "target_shape":
        settings[name] = count
        return
    name = name if name in settings else "newshape"
    shape = list(settings[name])
    if shape[-1] != -1:
        shape[-1] = count
    settings[name] = shape


def _with_last(shape: Any, channels: Array, keep: Array) -> Any:
    return shape if shape[-1] is None else (*shape[:-1], int(keep[channels].sum()))


def _cut_weights(layer: Any, made: Call, keep: Array) -> list[Array]:
    assert made.rule is not None
    weights = [(weight.name, weight.numpy()) for weight in layer.weights]
    taken, given = keep[made.inputs[0]], keep[made.outputs[0]]
    masks = {
        "in": taken,
        "out": given,
        "in_repeated": np.repeat(taken, getattr(layer, "depth_multiplier", 1)),
    }
    cut = []
    for name, value in weights:
        rest = value
        for axis, side in made.rule.axes[name].items():
            rest = np.compress(masks[side], rest, axis=axis)
        cut.append(rest)
    return cut
