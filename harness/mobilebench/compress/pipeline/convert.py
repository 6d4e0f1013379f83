"""From Keras or a SavedModel to a float32 .tflite, once a model; quantizers start from there.

The way through a SavedModel is the one that was found right: conversion from concrete functions
lost weights without an error.
"""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.errors import BadInputError, StepError, first_line
from mobilebench.models.array import Array, Sample
from mobilebench.models.inputs import columns

#: The converter on an operation that it has no operator for, and where in the model it is.
_NO_BUILTIN = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_LAYER = re.compile(r'fused\["\w+:", "([^"@]+)@')
#: The signature that is meant where none is named.
_DEFAULT = "serving_default"
#: Bytes of inputs or outputs that a Keras model answers at once.
_BYTES_AT_ONCE = 2 << 20


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
    rows = _rows_at_once(model)
    answers: dict[str, list[Array]] = {}
    for start in range(0, len(samples), rows):
        some = [values[start : start + rows] for values in given]
        outputs = keras.tree.flatten(model(some if len(some) > 1 else some[0], training=False))
        for number, output in enumerate(outputs):
            found = np.asarray(output)
            answers.setdefault(f"output_{number}", []).append(found.reshape(len(some[0]), -1))
    return {name: np.concatenate(parts) for name, parts in answers.items()}


def _rows_at_once(model: Any) -> int:
    """How many samples a Keras model answers at once: what lies between its layers is a multiple.

    With 32 images of 224 x 224 x 3 at once MobileNetV2 took 2.3 GiB, with 3 of them 50 MiB.
    """
    sizes = [
        4 * int(np.prod([size or 1 for size in tensor.shape[1:]]))
        for tensor in (*model.inputs, *model.outputs)
    ]
    return max(1, _BYTES_AT_ONCE // max(sizes))


class SavedModel:
    """One signature or function of a SavedModel, on fixed shapes: an open batch is one.

    Args:
        path: its folder.
        signature: which one; None: ``serving_default``, or the only one there is.
        shapes: of inputs with open dimensions, by name; empty for the only one.
        samples: the shape of one sample by input, taken where no other is given.

    Raises:
        BadInputError: there is no such signature or input, or a shape stays open.
    """

    def __init__(
        self,
        path: Path,
        signature: str | None = None,
        shapes: Mapping[str, tuple[int, ...]] = {},
        samples: Mapping[str, tuple[int, ...]] = {},
    ) -> None:
        import tensorflow as tf

        try:
            self._loaded = tf.saved_model.load(str(path))
            functions, named = _functions(self._loaded), _signatures(self._loaded)
        except Exception as error:  # TensorFlow raises whatever the folder's contents provoke
            raise BadInputError(
                f"model {path} cannot be read as a SavedModel: {first_line(error)}"
            ) from error
        if signature in functions and signature not in named:
            named = functions  # by its own name
        functions = named or functions
        self._function, taken = functions[_chosen(signature, list(functions), path)]
        texts = [name for name, found in taken.items() if found.dtype == tf.string]
        if texts:
            others = [name for name, (_, inputs) in functions.items() if inputs is not taken]
            way = (
                f"choose another signature: {', '.join(others)}"
                if others
                else ("save a signature that begins behind the layers that turn them into numbers")
            )
            raise BadInputError(
                f"model {path} takes texts at input {texts[0]!r}, and no .tflite operator works on "
                f"them; {way}"
            )
        if not taken:
            raise BadInputError(f"model {path} takes no input: there is nothing to run it on")
        for name in shapes:
            if name not in taken and (name or len(taken) > 1):
                listed = ", ".join(map(repr, taken))
                raise BadInputError(f"model {path} has no input {name!r}: it has {listed}")
        self._inputs = {
            name: tf.TensorSpec(
                _fixed(
                    found.shape,
                    name,
                    path,
                    shapes.get(name) or shapes.get(""),
                    samples.get(name) or (samples.get("") if len(taken) == 1 else None),
                ),
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


def _signatures(loaded: Any) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Each signature by name, with its inputs' specifications by name.

    It is called with tensors by those names and gives tensors by name.
    """
    return {
        name: (function, function.structured_input_signature[1])
        for name, function in loaded.signatures.items()
    }


def _functions(loaded: Any) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Each function that was saved with the shapes of its inputs, in the same way."""
    return {
        name: found
        for name in dir(loaded)
        if (found := _restored(getattr(loaded, name, None))) is not None
    }


def _restored(function: Any) -> tuple[Any, dict[str, Any]] | None:
    """A function of a SavedModel by names; None for anything else.

    Of several traces the one for inference is taken, with the most inputs.
    """
    import tensorflow as tf

    traces = []
    for trace in getattr(function, "concrete_functions", ()):
        flat = tf.nest.flatten(trace.structured_input_signature)
        if all(isinstance(leaf, tf.TensorSpec | bool | None) for leaf in flat):
            specs = [leaf for leaf in flat if isinstance(leaf, tf.TensorSpec)]
            traces.append((True not in flat, len(specs), trace, flat, specs))
    if not traces:
        return None
    *_, trace, flat, specs = max(traces, key=lambda found: found[:2])
    structure = trace.structured_input_signature
    inputs = {
        (spec.name if spec.name else f"input_{number}"): spec for number, spec in enumerate(specs)
    }

    def call(**given: Any) -> dict[str, Any]:
        tensors = iter([given[name] for name in inputs])
        filled = [next(tensors) if isinstance(leaf, tf.TensorSpec) else leaf for leaf in flat]
        arguments, named = tf.nest.pack_sequence_as(structure, filled)
        made = function(*arguments, **named)
        if isinstance(made, dict):
            return {str(name): value for name, value in made.items()}
        return {f"output_{i}": value for i, value in enumerate(tf.nest.flatten(made))}

    return call, inputs


def _chosen(signature: str | None, names: Sequence[str], path: Path) -> str:
    """The signature that is asked for, or the one that needs no asking."""
    if signature is None and _DEFAULT not in names and len(names) == 1:
        return names[0]
    wanted = signature or _DEFAULT
    if wanted not in names:
        has = (
            f"it has {', '.join(map(repr, names))}"
            if names
            else (
                "it has none, and no function that was saved with the shapes of its inputs; give "
                "tf.saved_model.save() some with signatures=function.get_concrete_function(…)"
            )
        )
        way = "; choose with signature (--signature)" if names else ""
        raise BadInputError(f"model {path} has no signature {wanted!r}: {has}{way}")
    return wanted


def _fixed(
    shape: Any,
    name: str,
    path: Path,
    given: tuple[int, ...] | None = None,
    sample: tuple[int, ...] | None = None,
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
        # Images of one channel are often stored without it.
        fitting: Sequence[tuple[int, ...]] = ()
        if sample is not None:
            fitting = ((1, *sample), (1, *sample, 1))
        for found in fitting:
            if shape.is_compatible_with(found):
                return found
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
        raise StepError(f"TensorFlow cannot convert the model to .tflite: {_why(error)}") from error


def _why(error: Exception) -> str:
    """Which operators and layers the converter stumbled over, or its own first line."""
    text = str(error)
    missing = dict.fromkeys(_NO_BUILTIN.findall(text))
    if not missing:
        return first_line(error)
    layer = _LAYER.search(text)
    where = f" (in {layer[1]})" if layer else ""
    types = " on float64" if "f64" in text else " on float16" if "xf16" in text else ""
    return (
        f"no built-in operator computes {', '.join(missing)}{types}{where}; compute that part with "
        "other layers, or leave it to the app"
    )
