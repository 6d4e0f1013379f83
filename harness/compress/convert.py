"""From Keras or a SavedModel to a float32 .tflite, once a model; quantizers start from there.

The way through a SavedModel is the one that was found right: conversion from concrete functions
lost weights without an error.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.compress.step import StepError
from harness.errors import BadInputError, first_line
from harness.models.array import Array


def convert_keras(model: Any, scratch: Path) -> bytes:
    """The model as a float32 .tflite with a batch of one and built-in operators only.

    Raises:
        StepError: TensorFlow cannot convert it.
    """
    import keras

    shape = (1, *model.inputs[0].shape[1:])
    specification = keras.InputSpec(shape=shape, dtype=str(model.inputs[0].dtype))
    with tempfile.TemporaryDirectory(dir=scratch) as folder, _conversion():
        model.export(
            folder, format="tf_saved_model", verbose=False, input_signature=[specification]
        )
        return _convert(folder)


class SavedModel:
    """A SavedModel's default signature, with its batch fixed to one.

    Raises:
        BadInputError: there is no signature with one input of a fixed shape and one output.
    """

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        try:
            self._loaded = tf.saved_model.load(str(path))
            self._function = self._loaded.signatures["serving_default"]
        except Exception as error:  # TensorFlow raises whatever the folder's contents provoke
            raise BadInputError(
                f"model {path} is no SavedModel with a signature serving_default: "
                f"{first_line(error)}"
            ) from error
        inputs = self._function.structured_input_signature[1]
        if len(inputs) != 1 or len(self._function.structured_outputs) != 1:
            raise BadInputError(
                f"model {path} has {len(inputs)} inputs and "
                f"{len(self._function.structured_outputs)} outputs; "
                "compression takes models with one of each"
            )
        ((self._input, specification),) = inputs.items()
        shape = specification.shape
        if shape.rank is None or None in tuple(shape)[1:]:
            raise BadInputError(
                f"model {path} has an open input shape {shape}; "
                "every dimension but the batch must be fixed"
            )
        self._dtype = specification.dtype
        self.input_shape = tuple(int(n) for n in tuple(shape)[1:])

    def run(self, samples: Sequence[Array]) -> Array:
        """The output for each sample: (samples, output values)."""
        import tensorflow as tf

        rows = [
            next(iter(self._function(**{self._input: tf.cast(sample[None], self._dtype)}).values()))
            for sample in samples
        ]
        return np.stack([np.asarray(row).ravel() for row in rows])

    def convert(self, scratch: Path) -> bytes:
        """A float32 .tflite.

        Raises:
            StepError: TensorFlow cannot convert it.
        """
        import tensorflow as tf

        module = tf.Module()
        module.loaded = self._loaded  # keeps the variables alive
        specification = tf.TensorSpec((1, *self.input_shape), self._dtype, name=self._input)
        call = tf.function(
            lambda x: self._function(**{self._input: x}), input_signature=[specification]
        )
        with tempfile.TemporaryDirectory(dir=scratch) as folder, _conversion():
            tf.saved_model.save(module, folder, signatures=call.get_concrete_function())
            return _convert(folder)


def _convert(folder: str) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return bytes(converter.convert())


@contextlib.contextmanager
def _conversion() -> Iterator[None]:
    """Keeps the converter's prints back and makes one sentence of its errors."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except Exception as error:  # the converter has no error class of its own
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise StepError(
            "TensorFlow cannot convert the model to .tflite: "
            + (lines[0].strip() if lines else type(error).__name__)
        ) from error
