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

from mobilebench.errors import BadInputError, StepError, first_line
from mobilebench.models.array import Array, Sample
from mobilebench.models.inputs import columns


def convert_keras(model: Any, scratch: Path) -> bytes:
    """The model as a float32 .tflite with a batch of one and built-in operators only.

    Raises:
        StepError: TensorFlow cannot convert it.
    """
    import keras

    several = len(model.inputs) > 1
    signature = [
        keras.InputSpec(
            shape=(1, *tensor.shape[1:]),
            dtype=str(tensor.dtype),
            name=tensor.name if several else None,
        )
        for tensor in model.inputs
    ]
    with tempfile.TemporaryDirectory(dir=scratch) as folder, _conversion():
        # Left to itself a layer that augments does so, and nothing random can be converted.
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint(
            "serve",
            lambda given: model(given, training=False),
            input_signature=[signature] if several else signature,
        )
        archive.write_out(folder, verbose=False)
        return _convert(folder)


def answers_of(model: Any, samples: Sequence[Sample]) -> dict[str, Array]:
    """What a Keras model answers: each output by its name in the file, (samples, values)."""
    import keras

    given = [
        values.reshape(len(samples), *tensor.shape[1:]).astype(tensor.dtype)
        for tensor, values in zip(
            model.inputs, columns(samples, [t.name for t in model.inputs]), strict=True
        )
    ]
    outputs = keras.tree.flatten(model(given if len(given) > 1 else given[0], training=False))
    return {
        f"output_{number}": np.asarray(output).reshape(len(samples), -1)
        for number, output in enumerate(outputs)
    }


class SavedModel:
    """A SavedModel's default signature, with its batch fixed to one.

    Raises:
        BadInputError: there is no signature, or one with an input of an open shape.
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
        self._inputs = {
            name: tf.TensorSpec(_fixed(specification.shape, name, path), specification.dtype, name)
            for name, specification in self._function.structured_input_signature[1].items()
        }
        if not self._inputs:
            raise BadInputError(f"model {path} takes no input: there is nothing to run it on")

    def run(self, samples: Sequence[Sample]) -> dict[str, Array]:
        """Each output by name, (samples, values)."""
        import tensorflow as tf

        given = dict(zip(self._inputs, columns(samples, list(self._inputs)), strict=True))
        rows: dict[str, list[Array]] = {}
        for number in range(len(samples)):
            called = {
                name: tf.cast(tf.reshape(given[name][number], spec.shape), spec.dtype)
                for name, spec in self._inputs.items()
            }
            for name, value in self._function(**called).items():
                rows.setdefault(name, []).append(np.asarray(value).ravel())
        return {name: np.stack(values) for name, values in rows.items()}

    def convert(self, scratch: Path) -> bytes:
        """A float32 .tflite.

        Raises:
            StepError: TensorFlow cannot convert it.
        """
        import tensorflow as tf

        module = tf.Module()
        module.loaded = self._loaded  # keeps the variables alive

        @tf.function  # type: ignore[untyped-decorator]
        def call(**inputs: Any) -> Any:
            return self._function(**inputs)

        with tempfile.TemporaryDirectory(dir=scratch) as folder, _conversion():
            concrete = call.get_concrete_function(**self._inputs)
            tf.saved_model.save(module, folder, signatures=concrete)
            return _convert(folder)


def _fixed(shape: Any, name: str, path: Path) -> tuple[int, ...]:
    """The input's shape with an open batch fixed to one."""
    if shape.rank is None or None in tuple(shape)[1:]:
        raise BadInputError(
            f"model {path} has an open shape {shape} at input {name!r}; "
            "every dimension but the batch must be fixed"
        )
    return tuple(1 if n is None else int(n) for n in shape)


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
