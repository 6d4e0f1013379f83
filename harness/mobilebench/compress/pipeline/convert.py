"""From Keras or a SavedModel to a float32 .tflite, once a model; quantizers start from there.

The way through a SavedModel is the one that was found right: conversion from concrete functions
lost weights without an error.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.errors import BadInputError, StepError, first_line
from mobilebench.models.array import Array, Sample
from mobilebench.models.inputs import columns

#: The signature that is meant where none is named.
_DEFAULT = "serving_default"


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
    """One signature of a SavedModel, on fixed shapes: an open batch is one.

    Args:
        path: its folder.
        signature: which one; None: ``serving_default``, or the only one there is.
        shapes: of inputs with open dimensions, by name; empty for the only one.

    Raises:
        BadInputError: there is no such signature or input, or a shape stays open.
    """

    def __init__(
        self,
        path: Path,
        signature: str | None = None,
        shapes: Mapping[str, tuple[int, ...]] = {},
    ) -> None:
        import tensorflow as tf

        try:
            self._loaded = tf.saved_model.load(str(path))
            signatures = dict(self._loaded.signatures)
        except Exception as error:  # TensorFlow raises whatever the folder's contents provoke
            raise BadInputError(
                f"model {path} cannot be read as a SavedModel: {first_line(error)}"
            ) from error
        self._function = signatures[_chosen(signature, list(signatures), path)]
        taken = self._function.structured_input_signature[1]
        if not taken:
            raise BadInputError(f"model {path} takes no input: there is nothing to run it on")
        for name in shapes:
            if name not in taken and (name or len(taken) > 1):
                listed = ", ".join(map(repr, taken))
                raise BadInputError(f"model {path} has no input {name!r}: it has {listed}")
        self._inputs = {
            name: tf.TensorSpec(
                _fixed(found.shape, name, path, shapes.get(name) or shapes.get("")),
                found.dtype,
                name,
            )
            for name, found in taken.items()
        }

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
        return {
            name: np.stack(values)
            for name, values in rows.items()
            if len({value.shape for value in values}) == 1  # else it cannot be compared
        }

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


def _chosen(signature: str | None, names: Sequence[str], path: Path) -> str:
    """The signature that is asked for, or the one that needs no asking."""
    if signature is None and _DEFAULT not in names and len(names) == 1:
        return names[0]
    wanted = signature or _DEFAULT
    if wanted not in names:
        has = f"it has {', '.join(map(repr, names))}" if names else "it has none: save it with one"
        way = "; choose with signature (--signature)" if names else ""
        raise BadInputError(f"model {path} has no signature {wanted!r}: {has}{way}")
    return wanted


def _fixed(
    shape: Any, name: str, path: Path, given: tuple[int, ...] | None = None
) -> tuple[int, ...]:
    """The input's shape: as given where it is open, and an open batch is one."""
    if given is not None:
        if not shape.is_compatible_with(given):
            raise BadInputError(
                f"model {path}: the input {name!r} is {shape}, and the shape {list(given)} was "
                "given; only what is open can be given"
            )
        return given
    if shape.rank is None or None in tuple(shape)[1:]:
        raise BadInputError(
            f"model {path} has an open shape {shape} at input {name!r}; give one with shapes "
            "(--input-shape)"
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
