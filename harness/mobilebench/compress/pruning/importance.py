"""The importance of each weight to the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mobilebench.errors import StepError
from mobilebench.models.array import Array
from mobilebench.models.objective import Loss
from mobilebench.models.training import TrainingData

#: Batches over which gradients are gathered, each time that weights are ranked.
_BATCHES = 16
#: Samples below which a gradient says more of the samples than of the network.
LEAST_SAMPLES = 50

#: One array a kernel, of its shape: the larger, the more important. Changes with the weights.
Scores = Callable[[], list[Array]]


def magnitude(kernels: Sequence[Any], scales: Sequence[float] | None = None) -> Scores:
    """The weights' magnitudes (Han et al. 2015), each kernel's times its scale, if any."""
    factors = np.asarray(scales or [1.0] * len(kernels), np.float32)
    return lambda: [np.abs(k.numpy()) * f for k, f in zip(kernels, factors, strict=True)]


def comparable(weights: Sequence[Array], are_values: Sequence[bool]) -> list[float]:
    """What makes magnitudes of values, as in an embedding, comparable with those of factors.

    Rows of an embedding are not multiplied with anything, so their size says nothing beside that of
    a kernel: ranked with the others as they are, a table of small numbers would go as a whole. They
    are scaled to the root mean square of all kernels.
    """
    sizes = [float(np.sqrt(np.mean(np.square(w, dtype=np.float64)))) for w in weights]
    kernels = [size for size, values in zip(sizes, are_values, strict=True) if not values]
    usual = float(np.mean(kernels)) if kernels else 1.0
    return [
        usual / max(size, 1e-12) if values and kernels else 1.0
        for size, values in zip(sizes, are_values, strict=True)
    ]


def taylor(
    model: Any, kernels: Sequence[Any], training_data: TrainingData, loss: Loss | None
) -> Scores:
    """By how much the loss would change, to first order: the sum over batches of abs(w · ∂L/∂w).

    The criterion of Molchanov et al. 2017 (ICLR, section 2.2), for single weights. A weight that
    the data never use, such as one of a pixel that is always black, has no importance however
    large it is.

    Args:
        model: the Keras model.
        kernels: its variables to rank.
        training_data: data; the same batches each time, chosen by the seed.
        loss: of a classifier's logits, instead of the model's own.

    Raises:
        StepError: too few samples.
    """
    import tensorflow as tf

    from mobilebench.models.training import chosen

    require_samples(training_data, "importance=taylor")
    objective = training_data.objective(model, loss)
    batch = training_data.batch
    count = min(_BATCHES, training_data.count // batch)
    order = np.random.default_rng(training_data.seed).permutation(training_data.count)
    order = order[: count * batch].reshape(count, batch)

    @tf.function  # type: ignore[untyped-decorator]
    def worth(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape, objective.outputs_of(model) as call:
            value = objective.loss(call(x, training=False), y, x, None)
        gradients = tape.gradient(value, [kernel.value for kernel in kernels])
        return [tf.abs(k * g) for k, g in zip(kernels, gradients, strict=True)]

    def scores() -> list[Array]:
        batches = [
            worth(
                *tf.nest.map_structure(
                    tf.constant, (training_data.samples(part), chosen(objective.labels, part))
                )
            )
            for part in order
        ]
        return [
            np.sum([found.numpy() for found in of], axis=0) for of in zip(*batches, strict=True)
        ]

    return scores


def require_samples(training_data: TrainingData, what: str) -> None:
    """Refuses to rank by a handful of samples.

    Raises:
        StepError: there are fewer than ``LEAST_SAMPLES``.
    """
    if training_data.count < LEAST_SAMPLES:
        raise StepError(
            f"{what} needs at least {LEAST_SAMPLES} training samples, and there are "
            f"{training_data.count}"
        )


def zero_share(weights: Sequence[Array]) -> float:
    """The share of zeros among all weights."""
    return sum(int((w == 0).sum()) for w in weights) / sum(w.size for w in weights)
