"""How sensitive each layer is to pruning: the loss with one layer pruned at a time.

From the scan follow the rates for a budget. Layers are pruned to where each by itself raises the
loss by the same amount; that amount is found by bisection, so that all together meet the budget.
A robust layer is pruned more, a sensitive one less.

The samples are split off the training data, never taken from the evaluation set, which nothing
may be chosen on. The network has seen them in training: the curves are a little too good, their
order is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mobilebench.compress.pruning.masks import leave_out
from mobilebench.errors import StepError

if TYPE_CHECKING:
    from mobilebench.models.array import Array
    from mobilebench.models.objective import Loss, Objective
    from mobilebench.models.training import TrainingData

#: The sparsities at which each layer is looked at.
LEVELS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
#: The share of the training data that is split off, and the bounds on how many samples it is.
_SHARE, _FEWEST, MOST_SAMPLES = 0.1, 20, 2000
_BATCH = 200
#: Losses above this are all alike: nothing is left of the network.
_LARGEST_LOSS = 1e3
_BISECTIONS = 100


@dataclass(frozen=True)
class LayerCurve:
    """One layer's losses and accuracies at each level of :data:`LEVELS`, the others untouched.

    There are no accuracies where the model is no classifier.
    """

    name: str
    weights: int
    losses: tuple[float, ...]
    accuracies: tuple[float, ...]


@dataclass(frozen=True)
class Scan:
    """The curves of all layers, on ``samples`` samples."""

    samples: int
    layers: tuple[LayerCurve, ...]

    def rates(self, budget: float) -> list[float]:
        """The sparsity of each layer at which their zeros are ``budget`` of all weights.

        Raises:
            StepError: the budget is above the highest level.
        """
        if budget > LEVELS[-1]:
            raise StepError(
                f"scope=sensitivity looks at sparsities up to {LEVELS[-1]}, not {budget}"
            )
        weights = np.array([layer.weights for layer in self.layers], dtype=np.float64)
        rises = [_rise(layer.losses) for layer in self.layers]
        low, high = 0.0, max(float(rise[-1]) for rise in rises)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            found = np.array([np.interp(middle, rise, LEVELS) for rise in rises])
            if float(found @ weights / weights.sum()) < budget:
                low = middle
            else:
                high = middle
        return [float(np.interp(high, rise, LEVELS)) for rise in rises]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Scan:
        """The scan that :meth:`document` wrote."""
        return cls(
            document["samples"],
            tuple(
                LayerCurve(
                    entry["name"],
                    entry["weights"],
                    tuple(entry["loss"]),
                    tuple(entry["accuracy"]),
                )
                for entry in document["layers"]
            ),
        )

    def document(self, rates: Sequence[float]) -> dict[str, Any]:
        """For the provenance: the levels, and each layer's curve and rate."""
        return {
            "samples": self.samples,
            "levels": list(LEVELS),
            "layers": [
                {
                    "name": layer.name,
                    "weights": layer.weights,
                    "loss": list(layer.losses),
                    "accuracy": list(layer.accuracies),
                    "rate": rate,
                }
                for layer, rate in zip(self.layers, rates, strict=True)
            ],
        }


def scan(
    model: Any,
    kernels: Sequence[Any],
    scores: Sequence[Array],
    training_data: TrainingData,
    *,
    loss: Loss | None = None,
    pattern: str | None = None,
    matrices: Sequence[tuple[int, ...]] | None = None,
) -> Scan:
    """Prunes each kernel by itself to each level, and leaves the model as it was.

    Args:
        model: the Keras model.
        kernels: its variables to prune.
        scores: how important each weight is; see :mod:`mobilebench.compress.pruning.importance`.
        training_data: samples with labels; ``on_epoch`` is called with the kernels done and in all.
        loss: of a classifier's logits, instead of the model's own.
        pattern: see :mod:`mobilebench.compress.pruning.masks`.
        matrices: the kernels' shapes as (…, inputs, outputs); their own unless given.

    Raises:
        StepError: too few samples to split some off.
    """
    from mobilebench.models.kernels import name_of

    held = held_out(training_data)
    objective = training_data.objective(model, loss)
    curves = []
    shapes = matrices or [tuple(kernel.shape) for kernel in kernels]
    with objective.outputs_of(model) as call:
        judge = _judge(call, objective, training_data, held)
        untouched = judge()
        for done, (kernel, score, shape) in enumerate(zip(kernels, scores, shapes, strict=True)):
            training_data.on_epoch(done, len(kernels))
            before = kernel.numpy()
            found = [untouched]
            for level in LEVELS[1:]:
                kernel.assign(before * leave_out([score], level, pattern, [shape])[0])
                found.append(judge())
            kernel.assign(before)
            losses, right = zip(*found, strict=True)
            accuracies = right if objective.classes is not None else ()
            curves.append(LayerCurve(name_of(kernel), int(before.size), losses, accuracies))
    return Scan(len(held), tuple(curves))


def held_out(training_data: TrainingData) -> Array:
    """The numbers of a tenth of the training samples, chosen by the seed.

    Raises:
        StepError: too few samples.
    """
    count = min(int(_SHARE * training_data.count), MOST_SAMPLES)
    if count < _FEWEST:
        raise StepError(
            f"scope=sensitivity judges on a tenth of the training data, which must be at least "
            f"{_FEWEST} samples; {_counted(training_data.count)} too few"
        )
    return training_data.some(count)


def _judge(
    call: Any, objective: Objective, training_data: TrainingData, held: Array
) -> Callable[[], tuple[float, float]]:
    """A function that gives the mean loss, and a classifier's accuracy, on the samples."""
    import tensorflow as tf

    from mobilebench.models.training import chosen

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def batch(x: Any, y: Any) -> Any:
        found = call(x, training=False)
        value = objective.loss(found, y, x, None)
        if objective.classes is None:
            return value, tf.constant(0.0)
        right = tf.equal(tf.argmax(found, axis=-1, output_type=tf.int32), tf.cast(y, tf.int32))
        return value, tf.reduce_sum(tf.cast(right, tf.float32))

    def judge() -> tuple[float, float]:
        total = right = 0.0
        for start in range(0, len(held), _BATCH):
            part = held[start : start + _BATCH]
            given = training_data.samples(part), chosen(objective.labels, part)
            value, hits = batch(*tf.nest.map_structure(tf.constant, given))
            total += float(value) * len(part)
            right += float(hits)
        return total / len(held), right / len(held)

    return judge


def _rise(losses: Sequence[float]) -> Array:
    """By how much the loss has risen up to each level: never falling, and rising by a trifle.

    A loss that falls when weights go is no reason to stop before; and no two levels may be alike,
    since between them the rate is interpolated. A loss beyond all bounds counts as a huge one.
    """
    finite = np.nan_to_num(np.asarray(losses, dtype=np.float64), nan=_LARGEST_LOSS)
    finite = np.minimum(finite, _LARGEST_LOSS)
    risen = np.maximum.accumulate(finite) - finite[0]
    return np.asarray(risen + 1e-9 * np.arange(len(risen)))


def _counted(samples: int) -> str:
    return "1 training sample is" if samples == 1 else f"{samples} training samples are"
