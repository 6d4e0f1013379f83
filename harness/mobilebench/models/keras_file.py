"""What a .keras file says of itself, without TensorFlow."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any


def count_ends(path: Path) -> tuple[int, int]:
    """How many inputs and outputs a model has; one of each where the file does not say."""
    try:
        with zipfile.ZipFile(path) as archive:
            document = json.loads(archive.read("config.json"))
        config = document["config"]
        return _count(config["input_layers"]), _count(config["output_layers"])
    except (OSError, zipfile.BadZipFile, ValueError, TypeError, KeyError):
        return 1, 1


def _count(ends: Any) -> int:
    """The leaves of a structure of ends, each written as its layer's name, node and tensor."""
    if isinstance(ends, dict):
        return sum(_count(end) for end in ends.values())
    if ends and isinstance(ends[0], str):
        return 1
    return sum(_count(end) for end in ends)
