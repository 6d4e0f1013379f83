"""The teachers of distillation: the model itself, or others, Keras or .tflite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebench.errors import StepError
from mobilebench.models.array import Array
from mobilebench.models.similarity import are_probabilities


@dataclass(frozen=True)
class Teacher:
    """A trained classifier.

    Attributes:
        name: what messages call it.
        logits: from samples (batch, *input shape*) to logits (batch, classes), up to a constant a
            sample, which no softmax sees.
        features: what it makes of samples before its last layer, or None where they cannot be read.
    """

    name: str
    logits: Callable[[Any], Any]
    features: Callable[[Any], Any] | None


def keras_teacher(model: Any, name: str) -> Teacher:
    """A Keras model as a teacher.

    Raises:
        BadInputError: it has no logits.
    """
    from mobilebench.models.objective import logits_of

    with logits_of(model):  # is there a softmax to soften?
        pass

    def logits(samples: Any) -> Any:
        with logits_of(model) as teacher:
            return teacher(samples, training=False)

    extract = features_of(model)
    return Teacher(name, logits, extract and (lambda samples: extract(samples, training=False)))


def tflite_teacher(content: bytes, name: str) -> Teacher:
    """A .tflite file as a teacher, run by LiteRT on each batch.

    Raises:
        StepError: it has not one input and one output of one score a class, or does not run.
    """
    import tensorflow as tf

    from mobilebench.tflite.interpreter import Runner

    runner = Runner(content)
    if len(runner.inputs) != 1 or runner.classes is None:
        raise StepError(f"{name} cannot teach: it is no classifier with one input and one output")

    # What rounds to zero in a file of integers was less than half a step.
    least = runner.outputs[0].scale / 2 or 1e-12

    def answers(samples: Array) -> Array:
        scores = runner.run(list(samples))
        if are_probabilities(scores):
            return np.log(np.maximum(scores, np.float32(least)))  # logits, up to a constant
        return scores

    def logits(samples: Any) -> Any:
        found = tf.numpy_function(answers, [samples], tf.float32)
        return tf.ensure_shape(found, (None, runner.classes))

    return Teacher(name, logits, None)


def soft_labels(teachers: Sequence[Teacher], samples: Any, temperature: float) -> Any:
    """The teachers' mean probabilities (batch, classes) at a temperature."""
    import tensorflow as tf

    probabilities = [tf.nn.softmax(teacher.logits(samples) / temperature) for teacher in teachers]
    return tf.stop_gradient(tf.add_n(probabilities) / len(probabilities))


def features_of(model: Any) -> Callable[..., Any] | None:
    """What a Keras model makes of samples before its last layer with weights, as a function.

    A layer that ``low_rank`` split in two, or any model that stands in a layer's place, is taken
    as a whole. None where only the samples themselves come before it.
    """
    import keras

    last = next((layer for layer in reversed(model.layers) if layer.weights), None)
    if last is None:
        return None
    before = last._inbound_nodes[-1].input_tensors[0]
    if any(before is given for given in model.inputs):
        return None
    extract: Callable[..., Any] = keras.Model(model.inputs, before)
    return extract


def similarity_loss(student: Any, teacher: Any) -> Any:
    """How differently two networks see which samples of a batch are alike.

    The squared distance of the two matrices of normalized inner products, over batch² (Tung and
    Mori 2019, eq. 4): features of different widths can be compared.

    Args:
        student: features (batch, …).
        teacher: features (batch, …).
    """
    import tensorflow as tf

    def similarity(features: Any) -> Any:
        flat = tf.reshape(features, (tf.shape(features)[0], -1))
        return tf.math.l2_normalize(tf.matmul(flat, flat, transpose_b=True), axis=1)

    apart = tf.square(similarity(student) - tf.stop_gradient(similarity(teacher)))
    return tf.reduce_sum(apart) / tf.cast(tf.square(tf.shape(apart)[0]), tf.float32)
