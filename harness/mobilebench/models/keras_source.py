"""A user's Keras model as a network that converts and trains: one graph of float32 tensors.

People's models bring more than that: layers in float16 or float64, texts that are looked up, a
``call`` of their own in place of a graph, inputs of an open size. What cannot be in a .tflite is
rebuilt or left out, and said; what cannot be helped is refused with the way out.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilebench.errors import BadInputError, first_line
from mobilebench.models import keras_file
from mobilebench.models.keras_texts import without_lookups

#: Keras on a class that was never registered.
_UNKNOWN_CLASS = re.compile(r"Could not locate class '([^']+)'|Unknown layer: '?([\w>]+)")
#: What Keras 2 wrote for TensorFlow functions within a graph.
_OF_KERAS_2 = ("TFOpLambda", "SlicingOpLambda", "ClassMethod")


@dataclass(frozen=True)
class Loaded:
    """A Keras model with a graph, and what to say of how it came to be."""

    model: Any
    notes: tuple[str, ...] = ()


def load(
    path: Path,
    where: str,
    shapes: Mapping[str, tuple[int, ...]] = {},
    samples: Mapping[str, tuple[int, ...]] = {},
) -> Loaded:
    """The model of a ``.keras`` or ``.h5`` file. Code stored inside the file is never run.

    Args:
        path: the file.
        where: what error messages call it.
        shapes: of inputs with open dimensions, with the batch, by name; empty for the only one.
        samples: the shape of one sample by input, taken where no other is given.

    Raises:
        BadInputError: the file is torn or needs such code, a class is unknown, or an input has an
            open shape.
    """
    try:
        config = keras_file.read_config(path)
    except keras_file.NoModelError:
        raise BadInputError(
            f"model {where} holds weights only: save the whole model, with model.save()"
        ) from None
    except Exception as error:  # a torn archive fails in many ways
        raise _unreadable(where, error) from error
    if keras_file.stores_code(config):
        raise BadInputError(
            f"model {where} stores Python code (a Lambda layer), which is not run for "
            "safety; replace that layer or give a SavedModel or a .tflite file"
        )
    rebuilt, policies = keras_file.in_float32(config)
    notes: tuple[str, ...] = ()
    if policies:
        shown = [name for name in policies if "mixed" in name] or policies
        notes = (f"its {' and '.join(shown)} layers were rebuilt in float32",)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, path.name)
            keras_file.write_with(rebuilt, path, copy)
            model = _load(copy, where)
    else:
        model = _load(path, where)
    if not getattr(model, "inputs", None):
        model, note = _with_graph(model, keras_file.built_shapes(config), where)
        notes += (note,)
    model, left_out = without_lookups(model, where)
    notes += left_out
    return Loaded(_flat(_fixed(model, where, shapes, samples)), notes)


def _unreadable(where: str, error: Exception) -> BadInputError:
    return BadInputError(f"model {where} cannot be loaded by Keras: {first_line(error)}")


def _load(path: Path, where: str) -> Any:
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever the file's contents provoke
        text = str(error)
        if "unsafe" in text or "safe_mode" in text:
            raise BadInputError(
                f"model {where} stores Python code, which is not run for safety; give a SavedModel "
                "or a .tflite file"
            ) from error
        unknown = _UNKNOWN_CLASS.search(text)
        name = (unknown[1] or unknown[2]) if unknown else ""
        if name in _OF_KERAS_2:
            raise BadInputError(
                f"model {where} was saved by Keras 2 with TensorFlow functions in its graph, which "
                "Keras 3 cannot read; load it where it was made and give model.export(FOLDER) or "
                "tf.saved_model.save(model, FOLDER)"
            ) from error
        if unknown or "register_keras_serializable" in text:
            what = f"class {name!r}" if name else "a class"
            raise BadInputError(
                f"model {where} uses {what} of its own, whose code the file does not hold: define "
                "or import it in a Python data file (custom_objects = {...}), or export the model "
                "as a SavedModel or a .tflite file"
            ) from error
        raise _unreadable(where, error) from error


def _with_graph(model: Any, shapes: Any, where: str) -> tuple[Any, str]:
    """A model whose ``call`` is its own code, as one layer of a graph."""
    import keras

    if isinstance(model, keras.Sequential) or not shapes or not _is_shape(shapes):
        raise BadInputError(
            f"model {where} has no defined input: begin it with keras.Input and save it again, or "
            "export it as a SavedModel"
        )
    first = next(iter(model.layers), None)
    dtype = "int32" if isinstance(first, keras.layers.Embedding) else "float32"
    given = keras.Input(shapes[1:], dtype=dtype)
    try:
        graph = keras.Model(given, model(given), name=model.name)
    except Exception as error:  # the user's own code
        raise BadInputError(
            f"model {where} is a {type(model).__name__}, whose call() cannot be traced: "
            f"{first_line(error)}; export it as a SavedModel"
        ) from error
    return graph, (
        f"it is a {type(model).__name__} with a call() of its own, and is converted as one layer: "
        "steps that need a graph of layers may refuse it"
    )


def _is_shape(shapes: Any) -> bool:
    return isinstance(shapes, list | tuple) and all(isinstance(n, int | None) for n in shapes)


def _fixed(
    model: Any,
    where: str,
    shapes: Mapping[str, tuple[int, ...]],
    samples: Mapping[str, tuple[int, ...]],
) -> Any:
    """The model on inputs of the given shapes, where its own leave something open."""
    import keras

    names = [tensor.name for tensor in model.inputs]
    for name in shapes:
        if name not in names and (name or len(names) > 1):
            listed = ", ".join(map(repr, names))
            raise BadInputError(f"model {where} has no input {name!r}: it has {listed}")
    inputs, changed = [], False
    for tensor in model.inputs:
        given = shapes.get(tensor.name) or shapes.get("")
        own = tuple(tensor.shape[1:])
        sample = samples.get(tensor.name) or samples.get("")
        if given is None and None in own and sample is not None:
            # Images of one channel are often stored without it.
            given = next((s for s in ((1, *sample), (1, *sample, 1)) if _fits(s, own)), None)
        if given is None and None in own:
            raise BadInputError(
                f"model {where} has an open shape {tuple(tensor.shape)} at input {tensor.name!r}; "
                "give one with shapes (--input-shape), or data"
            )
        if given is not None and not _fits(given, own):
            raise BadInputError(
                f"model {where}: the input {tensor.name!r} is {tuple(tensor.shape)}, and the shape "
                f"{list(given)} was given; only what is open can be given, and the batch is one"
            )
        changed |= None in own
        shape = own if given is None else tuple(given[1:])
        inputs.append(keras.Input(shape, dtype=tensor.dtype, name=tensor.name))
    if not changed:
        return model
    try:
        outputs = model(inputs if len(inputs) > 1 else inputs[0])
        fixed = keras.Model(inputs, outputs, name=model.name)
    except Exception as error:  # Keras raises whatever a layer finds wrong
        raise BadInputError(
            f"model {where} cannot be built on the shapes that were given: {first_line(error)}"
        ) from error
    return fixed


def _fits(given: tuple[int, ...], own: tuple[int | None, ...]) -> bool:
    return (
        len(given) == len(own) + 1
        and given[0] == 1
        and all(n is None or n == m for n, m in zip(own, given[1:], strict=True))
    )


def _flat(model: Any) -> Any:
    """The same layers with a tensor or a list of them at either end, whatever it was built with."""
    import keras

    structures = [getattr(model, end, None) for end in ("input", "output")]  # Sequential has none
    if not any(isinstance(end, dict | list | tuple) for end in structures):
        return model
    ends = [e[0] if len(e) == 1 else list(e) for e in (model.inputs, model.outputs)]
    return keras.Model(*ends, name=model.name)
