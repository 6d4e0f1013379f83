"""The importance of each channel to the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mobilebench.compress.channels.graph import ChannelGraph
from mobilebench.compress.channels.walk import call, walk
from mobilebench.errors import StepError
from mobilebench.models.array import Array
from mobilebench.models.objective import Loss
from mobilebench.models.training import TrainingData, chosen

#: Batches that the Taylor importance is averaged over, at most.
_BATCHES = 16
#: Bytes of samples that are run through the network together, at most.
_BYTES_AT_ONCE = 4 * 2**20


def norm_importance(graph: ChannelGraph, order: int) -> Array:
    """The norm of the filter that makes each channel (Li et al. 2017).

    Layers differ in the size of their weights, so norms are divided by their layer's mean; a
    channel that several layers make has the mean of theirs.

    Args:
        graph: the network's channels.
        order: 1 (sum of magnitudes) or 2 (Euclidean).

    Returns:
        (channels,) float64; 0 for channels that no layer makes.
    """
    sums, makers = np.zeros(graph.count), np.zeros(graph.count)
    for made in graph.layers().values():
        if made.rule is None or made.rule.flow != "new":
            continue
        name = next(name for name in reversed(list(made.rule.axes)) if name != "bias")
        axis = next(axis for axis, side in made.rule.axes[name].items() if side == "out")
        weight = next(w for w in made.operation.weights if w.name == name).numpy()
        filters = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
        norms = np.linalg.norm(filters.astype(np.float64), ord=order, axis=1)
        np.add.at(sums, made.outputs[0], norms / max(float(norms.mean()), 1e-12))
        np.add.at(makers, made.outputs[0], 1)
    return np.divide(sums, makers, out=np.zeros(graph.count), where=makers > 0)


def taylor_importance(
    model: Any, graph: ChannelGraph, training_data: TrainingData, loss: Loss | None
) -> Array:
    """How much the loss would change, to first order, if a channel were zero.

    The square of the loss's derivative by a gate on the channel, averaged over batches
    (Molchanov et al. 2019). The gate stands before every layer that takes the channel in.

    Args:
        model: the model that ``graph`` was read from: a classifier.
        graph: its channels.
        training_data: training data; the first batches of a seeded order are used.
        loss: of a classifier's logits, instead of the model's own.

    Returns:
        (channels,) float64.

    Raises:
        StepError: the derivative is not finite.
    """
    import tensorflow as tf

    batch = training_data.batch
    objective = training_data.objective(model, loss)
    order = np.random.default_rng(training_data.seed).permutation(training_data.count)
    order = order[: batch * min(_BATCHES, training_data.count // batch)].reshape(-1, batch)
    gates = tf.Variable(tf.ones(graph.count))
    total = np.zeros(graph.count)
    with objective.outputs_of(model):
        for number, taken in enumerate(order):
            mean = np.zeros(graph.count)
            for part in in_parts(len(taken), training_data.bytes_a_sample):
                given = training_data.samples(taken[part]), chosen(objective.labels, taken[part])
                x, labels = tf.nest.map_structure(tf.constant, given)
                with tf.GradientTape() as tape:
                    found = _run_gated(model, graph, gates, x if isinstance(x, list) else [x])
                    value = objective.loss(found, labels, x, None)
                gradient = tf.convert_to_tensor(tape.gradient(value, gates))
                mean += len(taken[part]) / len(taken) * np.asarray(gradient, np.float64)
            total += np.square(mean)
            training_data.on_epoch(number + 1, len(order))
    if not np.isfinite(total).all():
        raise StepError("the loss or its derivative is not finite, so nothing can be ranked by it")
    return total / len(order)


def in_parts(samples: int, bytes_a_sample: int) -> Iterator[slice]:
    """Slices of so many samples that are few enough to run at once.

    Run layer by layer, all activations of a network are in memory together: in MobileNetV2 they
    take fifty times the room of its input, and their gradients once more.
    """
    count = max(1, _BYTES_AT_ONCE // bytes_a_sample)
    for start in range(0, samples, count):
        yield slice(start, start + count)


def _run_gated(model: Any, graph: ChannelGraph, gates: Any, inputs: list[Any]) -> Any:
    import tensorflow as tf

    calls = iter(graph.calls)

    def visit(operation: Any, _path: tuple[str, ...], node: Any, values: list[Any]) -> list[Any]:
        made = next(calls)
        if made.rule is None or made.rule.flow == "new":
            values = [
                value * tf.gather(gates, channels) if value.dtype.is_floating else value
                for value, channels in zip(values, made.inputs, strict=True)
            ]
        return call(operation, node, values)

    found = walk(model, inputs, visit)
    return found if len(model.outputs) > 1 else found[0]
