"""What training minimizes: the loss that a model was compiled with, or else its task's.

Without a loss of its own the outputs and labels decide: class numbers or one-hot rows are
learned by cross-entropy, at each place of a mask or a sequence; labels between 0 and 1 of an output
that ends in a sigmoid by binary cross-entropy; anything of the output's shape by the squared error.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mobilebench.errors import BadInputError
from mobilebench.models.array import Array
from mobilebench.models.labels import are_classes, class_numbers, is_one_hot

if TYPE_CHECKING:
    from mobilebench.models.compiled import Compiled

#: From the logits (batch, classes), the labels (batch,), the samples and their weights (batch,) or
#: None: the mean loss.
Loss = Callable[[Any, Any, Any, Any], Any]
#: From outputs, labels and weights of a batch: the mean loss.
_OutputLoss = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Objective:
    """What is minimized.

    Attributes:
        labels: of all samples, an array for each output: what ``loss`` takes.
        classes: how many a classifier with one output distinguishes; None of another model.
        loss: from the outputs, labels, samples and sample weights (or None) of a batch to the mean
            loss, without what the model's own layers add.
        is_on_logits: whether ``loss`` takes logits: a softmax at the end is to be taken off.
        per_output: the loss of each output, where ``loss`` is the sum of such.
        loss_weights: of each of those; None for 1.
    """

    labels: tuple[Array, ...]
    classes: int | None
    loss: Callable[[Any, Any, Any, Any], Any]
    is_on_logits: bool
    per_output: tuple[Any, ...] | None = None
    loss_weights: tuple[float, ...] | None = None

    @contextlib.contextmanager
    def outputs_of(self, model: Any) -> Iterator[Callable[..., Any]]:
        """A function that gives what ``loss`` takes."""
        if self.is_on_logits:
            with logits_of(model) as logits:
                yield logits
        else:
            yield model

    def batch_loss(self, model: Any, outputs: Any, labels: Any, samples: Any, weights: Any) -> Any:
        """The mean loss with what layers add: regularizers, and losses of their own."""
        import tensorflow as tf

        value = self.loss(outputs, labels, samples, weights)
        extra = [tf.cast(tf.reduce_mean(one), tf.float32) for one in model.losses]
        return tf.add_n([value, *extra]) if extra else value


def objective_of(
    model: Any,
    labels: Array | Mapping[str, Array] | None,
    *,
    loss: Loss | None = None,
    compiled: Compiled | None = None,
    task: str = "",
) -> Objective:
    """What a model is trained by.

    Args:
        model: the Keras model.
        labels: (count, …), or one for each output by its name or number.
        loss: a classifier's, instead of its own.
        compiled: what the model was compiled with, if it was.
        task: what the suite says that the model is for; empty if it says nothing.

    Raises:
        BadInputError: the labels are none for these outputs; the sentence says what was found.
    """
    given = _by_output(model, labels)
    if loss is not None:
        y = _class_numbers(model, given)
        return Objective((y,), _classes(model), loss, True)
    if compiled is not None and compiled.loss is not None:
        return _of_compiled(model, given, compiled)
    if _is_classifier(model, given, task):
        y = _class_numbers(model, given)
        return Objective((y,), _classes(model), weighted_cross_entropy, True)
    made = [
        _of_output(model, number, y, task if len(given) == 1 else "")
        for number, y in enumerate(given)
    ]
    losses = [one for one, _ in made]
    return Objective(
        tuple(y for _, y in made), None, _summed(losses, [1.0] * len(losses)), False, tuple(losses)
    )


def weighted_cross_entropy(logits: Any, labels: Any, _samples: Any, weights: Any = None) -> Any:
    """Mean cross-entropy of logits (batch, classes) with class indices (batch,)."""
    import tensorflow as tf

    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return weighted_mean(each, weights)


def cross_entropy(logits: Any, labels: Any, samples: Any = None) -> Any:
    """Mean cross-entropy of logits (batch, classes) with class indices (batch,)."""
    return weighted_cross_entropy(logits, labels, samples)


def weighted_mean(values: Any, weights: Any = None) -> Any:
    """The mean over a batch of what each sample (batch,) adds, times its weight, if it has one."""
    import tensorflow as tf

    return tf.reduce_mean(values if weights is None else values * weights)


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


def _by_output(model: Any, labels: Array | Mapping[str, Array] | None) -> list[Array | None]:
    """The labels of each output, in the model's order."""
    names = output_names(model)
    if labels is None:
        return [None] * len(names)
    if not isinstance(labels, Mapping):
        if len(names) > 1:
            raise BadInputError(
                f"the training data have labels for one output, and the model has {len(names)}: "
                f"{', '.join(names)}; give labels by name"
            )
        return [labels]
    if len(labels) == len(names) == 1:
        return list(labels.values())
    for way in (names, [str(number) for number in range(len(names))]):
        if set(labels) <= set(way):
            return [labels.get(name) for name in way]
    raise BadInputError(
        f"the training data have labels for {', '.join(map(repr, labels))}, and the model's "
        f"outputs are {', '.join(names)}"
    )


def _is_classifier(model: Any, given: Sequence[Array | None], task: str) -> bool:
    """Whether it has one output of one score a class, and labels that are classes."""
    shape = model.outputs[0].shape
    if len(given) != 1 or task not in ("", "classification") or len(shape) != 2:
        return False
    if (shape[-1] or 0) < 2 or ending(model) not in ("linear", "softmax"):
        return False
    y = given[0]
    if y is None or (task == "" and not are_classes(y)):
        return False
    return y.ndim == 1 or task == "classification" or ending(model) == "softmax" or y.shape[1] == 1


def _classes(model: Any) -> int:
    return int(model.outputs[0].shape[-1])


def _class_numbers(model: Any, given: Sequence[Array | None]) -> Array:
    if len(given) != 1 or given[0] is None:
        raise BadInputError("this step needs a classifier with one output, and its labels")
    y = given[0]
    where = "the labels of the training data"
    if is_one_hot(y):
        y = y.argmax(axis=1)
    elif y.dtype.kind == "f" and are_classes(y):
        y = y.astype(np.int64)
    y, classes = class_numbers(y, where), _classes(model)
    if len(y) and int(y.max()) >= classes:
        raise BadInputError(
            f"{where} go up to {int(y.max())}, and the model has {classes} classes: labels must "
            f"be 0 to {classes - 1}"
        )
    return y.astype(np.int32)


def _of_compiled(model: Any, given: Sequence[Array | None], compiled: Compiled) -> Objective:
    """What a model was compiled with: a loss for each output, and their weights."""
    losses, weights = compiled.by_output(output_names(model))
    labels, used, shares = [], [], []
    for number, (y, loss) in enumerate(zip(given, losses, strict=True)):
        if loss is None:
            labels.append(np.zeros(0, np.float32))
        elif y is None:
            raise BadInputError(
                f"the model was compiled with a loss for output {output_names(model)[number]!r}, "
                "and the training data have no labels for it"
            )
        else:
            labels.append(_suited(y, loss, model.outputs[number].shape))
        used.append(loss)
        shares.append(weights[number])
    classes = None
    if len(given) == 1 and getattr(losses[0], "name", "") == "sparse_categorical_crossentropy":
        classes = _classes(model) if len(model.outputs[0].shape) == 2 else None
    loss_of_all = _summed(used, shares)
    return Objective(tuple(labels), classes, loss_of_all, False, tuple(used), tuple(shares))


def _suited(y: Array, loss: Any, shape: tuple[int | None, ...]) -> Array:
    """Labels as a loss takes them: class numbers become rows where it wants those.

    Elsewhere a last axis of 1 is added or taken off as the output has it.
    """
    if getattr(loss, "name", "") == "categorical_crossentropy" and y.ndim == len(shape) - 1:
        return np.eye(int(shape[-1] or 0), dtype=np.float32)[y.astype(np.int64)]
    if shape[-1:] == (1,) and y.ndim == len(shape) - 1:
        y = y[..., np.newaxis]  # as Keras does: else each label would meet each output
    elif y.ndim == len(shape) + 1 and y.shape[-1] == 1:
        y = y[..., 0]
    return y.astype(np.float32) if y.dtype.kind in "fb" else y.astype(np.int32)


def _of_output(
    model: Any, number: int, y: Array | None, task: str
) -> tuple[_OutputLoss | None, Array]:
    """The loss of one output, and its labels as that takes them."""
    import keras

    name, shape = output_names(model)[number], tuple(model.outputs[number].shape[1:])
    if y is None:
        if len(model.outputs) > 1 or model.losses:
            return None, np.zeros(0, np.float32)
        raise BadInputError(f"the training data have no labels for output {name!r}")
    end, rest, size = ending(model, number), y.shape[1:], math.prod(n or 1 for n in shape)
    whole = y.dtype.kind in "biu" or bool((y == np.rint(y)).all())
    same = math.prod(rest) == size
    if end == "softmax" and len(shape) > 1 and rest == shape and whole:
        return keras.losses.CategoricalCrossentropy(), y.astype(np.float32)
    if whole and end != "sigmoid" and _are_places(rest, shape) and (not same or shape[-1] > 1):
        if y.min() < 0 or y.max() >= shape[-1]:
            raise BadInputError(
                f"the labels of output {name!r} reach from {y.min()} to {y.max()}, and it has "
                f"{shape[-1]} classes"
            )
        softmax = end == "softmax"
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not softmax)
        return loss, y.reshape(len(y), *shape[:-1]).astype(np.int32)
    if same and task not in ("classification", "segmentation"):
        reshaped = y.reshape(len(y), *shape).astype(np.float32)
        if end == "sigmoid" and reshaped.min() >= 0 and reshaped.max() <= 1:
            return keras.losses.BinaryCrossentropy(), reshaped
        return keras.losses.MeanSquaredError(), reshaped
    raise BadInputError(
        f"labels of shape {rest} say nothing of output {name!r} of shape {shape}, which ends in "
        f"{end}: give labels of that shape or class numbers, compile the model with a loss, or "
        "define train(model, data, callbacks) in the data file"
    )


def _are_places(rest: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether there is one label for each place of an output (…, classes)."""
    if shape[-1:] == (1,) or not shape:
        return False
    places = shape[:-1]
    return rest == places or (rest[-1:] == (1,) and rest[:-1] == places)


def _summed(losses: Sequence[Any], shares: Sequence[float]) -> Callable[[Any, Any, Any, Any], Any]:
    def loss(outputs: Any, labels: Any, _samples: Any, weights: Any) -> Any:
        import keras
        import tensorflow as tf

        found = keras.tree.flatten(outputs)
        targets = keras.tree.flatten(labels)
        values = [
            share * one(target, output, sample_weight=weights)
            for one, output, target, share in zip(losses, found, targets, shares, strict=True)
            if one is not None
        ]
        return tf.add_n([tf.cast(value, tf.float32) for value in values] or [tf.constant(0.0)])

    return loss


def output_names(model: Any) -> list[str]:
    """The names of a model's outputs, in order: those of the layers that give them."""
    names = getattr(model, "output_names", None)
    if names is None:  # a Sequential has none of its own
        names = [_last_layer(model, number).name for number in range(len(model.outputs))]
    return list(names)


def ending(model: Any, number: int = 0) -> str:
    """The activation that an output ends in; ``linear`` where it ends in none."""
    import keras

    last = _last_layer(model, number)
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    return str(getattr(getattr(last, "activation", None), "__name__", "linear"))


def _last_layer(model: Any, number: int = 0) -> Any:
    import keras

    last = model
    while isinstance(last, keras.Model):
        if not hasattr(last, "outputs"):
            raise BadInputError(
                f"{type(last).__name__} has a call() of its own: to be trained here a model must "
                "be a graph of layers, made with keras.Input"
            )
        output = last.outputs[number]
        last = next(
            (layer for layer in reversed(last.layers) if _gives(layer, output)), last.layers[-1]
        )
        number = 0
    return last


def _gives(layer: Any, output: Any) -> bool:
    try:
        return layer.output is output
    except (AttributeError, ValueError):  # a layer that is called more than once
        return False
