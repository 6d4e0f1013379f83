"""What a .keras file says of itself, without TensorFlow."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def count_ends(path: Path) -> tuple[int, int]:
    """How many inputs and outputs a model has; one of each where the file does not say."""
    try:
        config = _document(path)["config"]
        return _count(config["input_layers"]), _count(config["output_layers"])
    except (OSError, zipfile.BadZipFile, ValueError, TypeError, KeyError):
        return 1, 1


def layer_classes(path: Path) -> tuple[str, ...]:
    """The names of the classes of all its layers; none where the file does not say."""
    try:
        return tuple(_classes(_document(path)))
    except (OSError, zipfile.BadZipFile, ValueError, TypeError, KeyError, RecursionError):
        return ()


def _document(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


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
