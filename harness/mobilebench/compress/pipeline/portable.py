"""What of the cache goes to another computer, so that it goes on where this one is, or back.

The names are the cache's own: keys of everything that an entry depends on, code and versions of
packages among it. A computer with others of those finds nothing under them, and makes it anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from mobilebench.compress.pipeline.build_inputs import BuildInputs, Steps
from mobilebench.compress.step import TrainingStep
from mobilebench.errors import BadInputError
from mobilebench.files import write_atomically

#: Files of a cache, by their path within it.
Parcel = Mapping[str, bytes]

_NAME = re.compile(
    r"artifacts/[0-9a-f]{32}\.json|tflite/[0-9a-f]{64}\.tflite|downloads/[0-9a-f]{64}\.json"
    r"|models/[0-9a-f]{32}\.keras(\.sha256)?"
)


def artifact(inputs: BuildInputs, steps: Steps) -> str:
    """The entry of the variant after these steps."""
    return f"artifacts/{inputs.key(steps)}.json"


def state(inputs: BuildInputs, steps: Steps) -> str | None:
    """The entry of the Keras model after these steps; None where none is kept.

    The user's own model before any step is a file that is there already.
    """
    trained = all(isinstance(step, TrainingStep) for step in steps)
    if not trained or not inputs.source.trainable or not (steps or inputs.source.zoo):
        return None
    return f"models/{inputs.training_key(steps)}.keras"


def entries(inputs: BuildInputs, steps: Steps) -> tuple[str, ...]:
    """All that whoever goes on after these steps may need, as far as it was kept."""
    names = [artifact(inputs, steps[:length]) for length in range(len(steps) + 1)]
    states = [state(inputs, ()), state(inputs, steps)]
    return tuple(dict.fromkeys([*names, *(name for name in states if name is not None)]))


def read(cache: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Those entries that the cache has, each with the files that belong to it."""
    parcel: dict[str, bytes] = {}
    for name in names:
        _ensure_entry(name)
        try:
            content = (cache / name).read_bytes()
            more = _belonging(name, content)
            found = {other: (cache / other).read_bytes() for other in more}
        except (OSError, ValueError, KeyError, TypeError):
            continue
        parcel |= {**found, name: content}
        if name.startswith("artifacts/"):
            (file,) = more
            sizes = f"downloads/{Path(file).stem}.json"
            if (cache / sizes).is_file():
                parcel[sizes] = (cache / sizes).read_bytes()
    return parcel


def write(cache: Path, parcel: Parcel) -> None:
    """Keeps what the cache has not got; an entry comes after the files that belong to it.

    Raises:
        BadInputError: it is no part of a cache.
        InvalidRunError: the disk is full or failing.
    """
    for name, content in parcel.items():
        _ensure_entry(name)
        path = cache / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)


def _belonging(name: str, content: bytes) -> tuple[str, ...]:
    """The files without which an entry is none."""
    if name.startswith("artifacts/"):
        return (f"tflite/{json.loads(content)['sha256']}.tflite",)
    return (f"{name}.sha256",) if name.endswith(".keras") else ()


def _ensure_entry(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise BadInputError(f"{name!r} is no entry of the cache")
