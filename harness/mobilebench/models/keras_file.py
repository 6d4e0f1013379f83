"""What a .keras or .h5 file says of its model: read, and written anew, without TensorFlow."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Files of HDF5, which Keras wrote before .keras.
H5_SUFFIXES = (".h5", ".hdf5")
_CONFIG = "config.json"
_H5_CONFIG = "model_config"
#: Real numbers and policies that no .tflite computes in; all become float32.
_OTHER_REALS = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")


class NoModelError(Exception):
    """The file holds weights alone: nothing says what computes with them."""


#: What reading a file may raise that is torn, or has no config of the usual form; ImportError
#: where h5py is not there, which comes with Keras.
_UNSAID = (
    OSError,
    zipfile.BadZipFile,
    ValueError,
    TypeError,
    KeyError,
    RecursionError,
    ImportError,
    NoModelError,
)


def count_ends(path: Path) -> tuple[int, int]:
    """How many inputs and outputs a model has; one of each where the file does not say."""
    try:
        config = read_config(path)["config"]
        return _count(config["input_layers"]), _count(config["output_layers"])
    except _UNSAID:
        return 1, 1


def layer_classes(path: Path) -> tuple[str, ...]:
    """The names of the classes of all its layers; none where the file does not say."""
    try:
        return tuple(_classes(read_config(path)))
    except _UNSAID:
        return ()


def read_config(path: Path) -> Any:
    """What Keras builds the model from.

    Raises:
        NoModelError: the file has weights only.
        OSError, zipfile.BadZipFile, ValueError, KeyError: it is torn, or something else.
    """
    if path.suffix not in H5_SUFFIXES:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(_CONFIG))
    import h5py

    with h5py.File(path, "r") as file:
        if _H5_CONFIG not in file.attrs:
            raise NoModelError
        return json.loads(file.attrs[_H5_CONFIG])


def write_with(config: Any, path: Path, to: Path) -> None:
    """A copy of the file that builds its model from another config."""
    if path.suffix in H5_SUFFIXES:
        import h5py

        shutil.copyfile(path, to)
        with h5py.File(to, "r+") as file:
            file.attrs[_H5_CONFIG] = json.dumps(config)
        return
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for entry in old.infolist():
            if entry.filename == _CONFIG:
                new.writestr(entry, json.dumps(config))
                continue
            with old.open(entry) as source, new.open(entry, "w") as target:
                shutil.copyfileobj(source, target)


def in_float32(config: Any) -> tuple[Any, tuple[str, ...]]:
    """The same model with all real numbers in float32, and what they were in; none: in that.

    A layer's policy is its ``dtype``, a name or an object with one; inputs and casts have one, too.
    """
    found: dict[str, None] = {}

    def name_of(value: Any) -> Any:
        if isinstance(value, str) and value in _OTHER_REALS:
            found[value] = None
            return "float32"
        if isinstance(value, dict) and isinstance(inner := value.get("config"), dict):
            return {
                **value,
                "config": {k: name_of(v) if k == "name" else v for k, v in inner.items()},
            }
        return value

    def walk(part: Any) -> Any:
        if isinstance(part, dict):
            return {k: name_of(v) if k == "dtype" else walk(v) for k, v in part.items()}
        return [walk(each) for each in part] if isinstance(part, list) else part

    return walk(config), tuple(found)


def stores_code(config: Any) -> bool:
    """Whether a layer is Python code that is kept in the file."""
    return any(name == "Lambda" for name in _classes(config))


def built_shapes(config: Any) -> Any:
    """The shapes that a model without a graph was built with; None where the file does not say."""
    built = config.get("build_config") if isinstance(config, dict) else None
    return built.get("input_shape") if isinstance(built, dict) else None


def _classes(part: Any) -> Iterator[str]:
    """Of a model and of the models and layers within it."""
    if isinstance(part, dict):
        if isinstance(name := part.get("class_name"), str):
            yield name
        for each in part.values():
            yield from _classes(each)
    elif isinstance(part, list):
        for each in part:
            yield from _classes(each)


def _count(ends: Any) -> int:
    """The leaves of a structure of ends, each written as its layer's name, node and tensor."""
    if isinstance(ends, dict):
        return sum(_count(end) for end in ends.values())
    if ends and isinstance(ends[0], str):
        return 1
    return sum(_count(end) for end in ends)
