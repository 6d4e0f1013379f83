"""One training loop for everything that learns: base models, students, pruned models.

It is written out rather than left to ``model.fit`` so that the loss sees logits, pruned weights
stay exactly zero after every step, and a small model is not slowed down by Python: a few steps
at a time run as one graph.

Everything random follows from the seed, so that two trainings of one process or of two give the
same weights on one machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mobilebench.errors import BadInputError
from mobilebench.models.array import Array

#: Steps in one graph call at most: masks are updated and progress is reported in between.
_STEPS_A_CALL = 16
#: Bytes of samples in one step at most: 34 images of 224 x 224 x 3. With twice as many, MobileNetV2
#: with its activations and their gradients took more than 7 GiB.
_BYTES_A_BATCH = 20 * 2**20
#: Samples beyond this are named where training diverges: networks like inputs near 1.
_LARGE = 1000.0
#: Bytes of samples in one graph call at most.
_BYTES_A_CALL = 64 * 2**20


@dataclass(frozen=True)
class TrainingSettings:
    """How one model is trained: Adam, with a cosine decay of the learning rate to zero.

    ``largest_shift`` is in pixels: each image is moved at random by that much in either
    direction, anew in each epoch, with zeros moving in.
    """

    epochs: int = 10
    batch: int = 64
    learning_rate: float = 1e-3
    largest_shift: int = 0


@dataclass(frozen=True)
class TrainingData:
    """What a training step works with.

    ``x`` (count, *input shape*) float32 and ``y`` (count,) class indices; ``on_epoch`` is given
    the epochs done, also when one is done in part, and the epochs in all.
    """

    x: Array
    y: Array
    settings: TrainingSettings
    seed: int
    on_epoch: Callable[[float, int], None] = field(default=lambda _done, _all: None)

    @property
    def batch(self) -> int:
        """How many samples a step of training takes: fewer where they are large."""
        fitting = max(1, _BYTES_A_BATCH // max(1, int(self.x[0].nbytes)))
        return min(self.settings.batch, len(self.x), fitting)

    def some(self, count: int) -> tuple[Array, Array]:
        """So many samples and their labels, chosen by the seed: to judge a network by."""
        chosen = np.sort(np.random.default_rng(self.seed).permutation(len(self.x))[:count])
        return self.x[chosen], self.y[chosen]


#: From the logits (batch, classes), the labels (batch,) and the samples: the mean loss.
Loss = Callable[[Any, Any, Any], Any]
#: From the share of training that is done (0 to 1): which weights to keep, a mask a kernel.
Masking = Callable[[float], Sequence[Array]]
#: From the model and the samples of a step: the logits, where they are not simply its output.
Forward = Callable[[Any, Any], Any]


def fit(
    model: Any,
    training_data: TrainingData,
    *,
    epochs: int,
    learning_rate: float | None = None,
    loss: Loss | None = None,
    kernels: Sequence[Any] = (),
    masking: Masking | None = None,
    codes: Sequence[Array] | None = None,
    forward: Forward | None = None,
) -> bool:
    """Trains a Keras classifier in place.

    Args:
        model: ends in a softmax, or gives logits.
        training_data: data, settings and seed.
        epochs: passes over the data, at least 1; the last incomplete batch of a pass is left out.
        learning_rate: the first one, instead of the settings'.
        loss: of the logits; cross-entropy with the labels unless given.
        kernels: the variables that ``masking`` speaks of, in order.
        masking: asked before every few steps and after the last. Weights that it does not keep
            are set to zero at once and after each step, whatever the optimizer's momentum.
        codes: which weights share a value, a number a weight, in the shape of each kernel: those
            with the same number begin alike and stay so, moved by the mean of their gradients.
        forward: how the logits are computed; the model in training mode unless given.

    Returns:
        whether it learned anything: some weight changed, and not only because of a mask.

    Raises:
        BadInputError: there are too few samples, or training diverged: the loss or a weight is
            infinite or no number.
    """
    import keras
    import tensorflow as tf

    classes = int(model.output_shape[-1])
    if len(training_data.x) < classes:
        there = (
            "is 1 training sample"
            if len(training_data.x) == 1
            else f"are {len(training_data.x)} training samples"
        )
        raise BadInputError(
            f"there {there} for {classes} classes, which is too few to learn from: give at least "
            "one of each class, and better hundreds"
        )
    random = _seed(model, training_data.seed)
    batch = training_data.batch
    steps = len(training_data.x) // batch
    rate = learning_rate or training_data.settings.learning_rate
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps * epochs))
    variables = model.trainable_variables
    optimizer.build(variables)
    before = [variable.numpy() for variable in variables]
    loss = loss or cross_entropy
    masks = [tf.Variable(tf.ones(k.shape, tf.bool), trainable=False) for k in kernels]
    tied = {id(k): c for k, c in zip(kernels, codes, strict=True)} if codes is not None else {}

    @tf.function  # type: ignore[untyped-decorator]
    def run(x: Any, y: Any) -> Any:
        value = tf.constant(0.0)
        for i in tf.range(tf.shape(x)[0]):
            with tf.GradientTape() as tape:
                given = forward(logits, x[i]) if forward else logits(x[i], training=True)
                value = loss(given, y[i], x[i])
            gradients = tape.gradient(value, variables)
            for number, variable in enumerate(variables):
                if id(variable) in tied:
                    gradients[number] = mean_by_code(gradients[number], tied[id(variable)])
            optimizer.apply(gradients, variables)
            for kernel, mask in zip(kernels, masks, strict=True):
                kernel.assign(tf.where(mask, kernel, tf.zeros_like(kernel)))
        return value

    steps_a_call = _steps_a_call(training_data.x[:batch].nbytes)
    done = 0
    with logits_of(model) as logits:
        for epoch in range(1, epochs + 1):
            order = random.permutation(len(training_data.x))[: steps * batch].reshape(steps, batch)
            for start in range(0, steps, steps_a_call):
                if masking is not None:
                    keep = masking(done / (steps * epochs))
                    _apply(kernels, keep)
                    for mask, value in zip(masks, keep, strict=True):
                        mask.assign(value)
                chosen = order[start : start + steps_a_call]
                x = shifted(
                    training_data.x[chosen.ravel()], training_data.settings.largest_shift, random
                )
                value = run(
                    tf.constant(x.reshape(*chosen.shape, *x.shape[1:])),
                    tf.constant(training_data.y[chosen].astype(np.int32)),
                )
                if not np.isfinite(value):
                    raise _diverged(epoch, epochs, rate, training_data.x)
                done += len(chosen)
                training_data.on_epoch(done / steps, epochs)
    if masking is not None:
        _apply(kernels, masking(1.0))
    for kernel in kernels if tied else ():  # the last bit may differ: vectors have ends
        kernel.assign(mean_by_code(kernel.value, tied[id(kernel)]))
    after = [variable.numpy() for variable in variables]
    if not all(np.isfinite(weights).all() for weights in after):
        raise _diverged(epochs, epochs, rate, training_data.x)
    return any(
        bool(((old != new) & (new != 0)).any()) for old, new in zip(before, after, strict=True)
    )


def _seed(model: Any, seed: int) -> np.random.Generator:
    """Seeds everything random: what dropout draws, too, must not depend on what came before."""
    import keras

    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    weights = {id(variable) for variable in model.weights}
    for variable in model.variables:
        if id(variable) not in weights and variable.name == "seed_generator_state":
            drawn = random.integers(0, 2**31, tuple(variable.shape))
            variable.assign(drawn.astype(variable.dtype))
    return random


def _diverged(epoch: int, epochs: int, rate: float, x: Array) -> BadInputError:
    largest = float(np.abs(x).max())
    scale = f", or scale the samples, which reach {largest:.3g}" if largest > _LARGE else ""
    return BadInputError(
        f"training diverged in epoch {epoch} of {epochs}: the loss or the weights are no numbers "
        f"any more; lower the learning rate, which was {rate:g}{scale}"
    )


def doubts(training_data: TrainingData, classes: int) -> tuple[str, ...]:
    """What makes one doubt that these samples teach a classifier much: a sentence each."""
    found = []
    count = len(training_data.x)
    if count < training_data.settings.batch:
        found.append(
            f"trained on {count} samples only, less than a batch of "
            f"{training_data.settings.batch}: it may learn them by heart and forget the rest"
        )
    absent = np.flatnonzero(np.bincount(training_data.y, minlength=classes) == 0)
    if absent.size:
        which = f"class {absent[0]}" if absent.size == 1 else f"{absent.size} of {classes} classes"
        found.append(f"the training data have no sample of {which}, which it may unlearn")
    return tuple(found)


def mean_by_code(values: Any, codes: Array) -> Any:
    """Each value replaced by the mean of all that have its code; same shape as ``values``."""
    import tensorflow as tf

    numbers = tf.constant(codes.ravel().astype(np.int32))
    flat = tf.reshape(values, (-1,))
    means = tf.math.unsorted_segment_mean(flat, numbers, int(codes.max()) + 1)
    return tf.reshape(tf.gather(means, numbers), codes.shape)


def cross_entropy(logits: Any, labels: Any, _samples: Any = None) -> Any:
    """Mean cross-entropy of logits (batch, classes) with class indices (batch,)."""
    import tensorflow as tf

    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )


@contextlib.contextmanager
def logits_of(model: Any) -> Iterator[Callable[..., Any]]:
    """A function that gives the model's logits, on the model's own weights.

    A softmax at the end is taken off for as long as the context lasts: the logarithm of its
    output would do in theory, but loses what underflows. Contexts may lie within each other.

    Raises:
        BadInputError: the model ends in another non-linearity, so it has no logits.
    """
    import keras

    last = _last_layer(model)
    activation = getattr(last, "activation", None)
    if isinstance(last, keras.layers.Softmax):
        if "call" in vars(last):  # it is off already
            yield model
            return
        last.call = lambda inputs, mask=None: inputs  # noqa: ARG005
        try:
            yield model
        finally:
            del last.call  # the class's own shows again
        return
    if activation not in (None, keras.activations.linear, keras.activations.softmax):
        raise BadInputError(
            f"model {model.name!r} ends in {getattr(activation, '__name__', activation)}: to be "
            "trained here it must be a classifier that ends in softmax or in logits"
        )
    if activation is not keras.activations.softmax:
        yield model
        return
    last.activation = keras.activations.linear
    try:
        yield model
    finally:
        last.activation = activation


def shifted(x: Array, largest: int, random: np.random.Generator) -> Array:
    """Images moved by up to ``largest`` pixels each way; flat square images are understood."""
    if largest == 0:
        return x
    side = int(np.sqrt(x[0].size))
    padded = np.pad(x.reshape(len(x), side, side), ((0, 0), (largest,) * 2, (largest,) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    rows, columns = random.integers(0, 2 * largest + 1, (2, len(x)))
    moved: Array = windows[np.arange(len(x)), rows, columns]
    return moved.reshape(x.shape)


def _last_layer(model: Any) -> Any:
    import keras

    last = model
    while isinstance(last, keras.Model):
        if not hasattr(last, "outputs"):
            raise BadInputError(
                f"model {last.name!r} has a call() of its own: to be trained here it must be a "
                "graph of layers, made with keras.Input"
            )
        output = last.outputs[0]
        last = next(
            (layer for layer in reversed(last.layers) if _gives(layer, output)), last.layers[-1]
        )
    return last


def _gives(layer: Any, output: Any) -> bool:
    try:
        return layer.output is output
    except (AttributeError, ValueError):  # a layer that is called more than once
        return False


def _steps_a_call(bytes_a_step: int) -> int:
    return max(1, min(_STEPS_A_CALL, _BYTES_A_CALL // max(1, bytes_a_step)))


def _apply(kernels: Sequence[Any], masks: Sequence[Array]) -> None:
    for kernel, mask in zip(kernels, masks, strict=True):
        kernel.assign(np.where(mask, kernel.numpy(), np.float32(0)))
