"""The sensitivity of each pool of channels: the loss without a part of it, without retraining."""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilebench.compress.channels.allocation import Curve, one_pool
from mobilebench.compress.channels.graph import ChannelGraph
from mobilebench.compress.channels.importance import in_parts
from mobilebench.compress.channels.rewrite import run_masked
from mobilebench.errors import StepError
from mobilebench.models.array import Array
from mobilebench.models.objective import Loss
from mobilebench.models.training import TrainingData, chosen

#: Shares of a pool that are removed, one after the other.
SHARES = (0.25, 0.5, 0.75, 0.9)
#: Training samples that the loss is taken over, at most; and bytes of them.
_SAMPLES = 256
_BYTES = 32 * 2**20


def scan(
    model: Any, graph: ChannelGraph, scores: Array, training_data: TrainingData, loss: Loss | None
) -> tuple[Curve, ...]:
    """A curve for each pool, in their order.

    Args:
        model: the model that ``graph`` was read from.
        graph: its channels.
        scores: (channels,) importance: which of a pool go first.
        training_data: training data, of which a seeded few hundred samples are used.
        loss: of a classifier's logits, instead of the model's own.

    Raises:
        StepError: the loss is not finite.
    """
    import tensorflow as tf

    size = training_data.bytes_a_sample
    count = max(1, min(_SAMPLES, training_data.count, _BYTES // size))
    numbers = training_data.some(count)
    objective = training_data.objective(model, loss)
    parts = []
    for part in in_parts(count, size):
        given = training_data.samples(numbers[part]), chosen(objective.labels, numbers[part])
        parts.append((len(numbers[part]), *tf.nest.map_structure(tf.constant, given)))

    def measured(keep: Array) -> float:
        total = 0.0
        for some, x, labels in parts:
            found = run_masked(model, graph, keep, x if isinstance(x, list) else [x])
            outputs = found if len(model.outputs) > 1 else found[0]
            total += some * float(objective.loss(outputs, labels, x, None))
        return float(total / count)

    curves = []
    with objective.outputs_of(model):
        whole = measured(np.ones(graph.count, np.bool_))
        for number, pool in enumerate(graph.pools):
            losses = [measured(one_pool(graph, scores, pool, share)) - whole for share in SHARES]
            if not np.isfinite(losses).all():
                raise StepError("the loss is not finite, so sensitivity cannot be measured")
            curves.append(Curve((0.0, *SHARES), (0.0, *(max(0.0, value) for value in losses))))
            training_data.on_epoch(number + 1, len(graph.pools))
    return tuple(curves)
