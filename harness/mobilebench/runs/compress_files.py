"""``mobilebench compress``: the files of a few recipes, without measuring them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mobilebench.cache import cache_folder
from mobilebench.compress.artifact import Artifact, Failure, Progress
from mobilebench.compress.service import compress_variants
from mobilebench.errors import BadInputError
from mobilebench.files import write_atomically
from mobilebench.models.sources import find_source
from mobilebench.suite.schema import validate

#: Longer names are cut: file systems take 255 bytes.
_LONGEST_SLUG = 150


def make_files(
    model: str,
    recipes: Sequence[str],
    settings: Mapping[str, object],
    seed: int,
    into: Path,
    on_progress: Callable[[Progress], None],
    downloads: Sequence[str] = (),
    jobs: int = 1,
) -> list[Artifact | Failure]:
    """Makes one ``.tflite`` a recipe in the folder ``into``.

    Args:
        model: ``zoo:NAME`` or a path.
        recipes: as texts.
        settings: what a suite may say of a model beside that: ``data``, ``student``, ``teachers``.
        seed: of training and calibration.
        into: made if it is not there.
        on_progress: is given each step.
        downloads: packings whose sizes are computed beside that of gzip.
        jobs: how many are made side by side.

    Returns:
        what was made, and what could not be, in the order of the recipes; the path of what was made
        is that in ``into``.

    Raises:
        BadInputError: the model, its data or a recipe is not there or not valid, or the folder
            cannot be written.
    """
    name = model.removeprefix("zoo:").rstrip("/").rsplit("/", 1)[-1].rsplit(".", 1)[0] or "model"
    entry: dict[str, object] = {"name": name, "source": model, "recipes": list(recipes)}
    entry |= {key: value for key, value in settings.items() if value}
    document = {"name": "compress", "seed": seed, "models": [entry], "downloads": downloads}
    suite = validate(document, model, Path())
    latency_probe = None
    if any(recipe.needs_device for _, recipe in suite.variants()):
        from mobilebench.devices.local.device import LocalDevice
        from mobilebench.runs.latency_probe import latency_probe_on

        device = LocalDevice("this-machine", None, cache_folder())
        latency_probe = latency_probe_on(device, device.probe(), suite.runtimes[0], seed)
    outcome = compress_variants(
        suite.variants(),
        seed=seed,
        cache=cache_folder(),
        on_progress=on_progress,
        latency_probe=latency_probe,
        packings=suite.packings,
        at_once=jobs,
    )
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"cannot make the folder {into}: {error.strerror}") from error
    made: dict[str, Artifact | Failure] = {f.recipe: f for f in outcome.failures}
    for artifact in outcome.artifacts:
        path = into / f"{name}.{_slug(artifact.recipe)}.tflite"
        write_atomically(path, artifact.path.read_bytes())
        made[artifact.recipe] = replace(artifact, path=path)
    return [made[recipe.name] for _, recipe in suite.variants()]


def tflite_of(model: str, on_progress: Callable[[Progress], None]) -> bytes:
    """A ``.tflite`` file itself, or the float32 file that a model becomes without compression.

    Args:
        model: ``zoo:NAME`` or a path.
        on_progress: is given each step of a conversion.

    Raises:
        BadInputError: the model cannot be read or converted.
    """
    if model.endswith(".tflite"):
        return find_source(model).read()
    with tempfile.TemporaryDirectory() as folder:
        (made,) = make_files(model, ["float32"], {}, 0, Path(folder), on_progress)
        if isinstance(made, Failure):
            raise BadInputError(f"model {model}: {made.reason}")
        return made.path.read_bytes()


def _slug(recipe: str) -> str:
    """``prune(0.8) → int8`` as ``prune-0.8-int8``."""
    words = "".join(c if c.isascii() and (c.isalnum() or c in "._") else " " for c in recipe)
    slug = "-".join(words.split())
    if len(slug) <= _LONGEST_SLUG:
        return slug
    return f"{slug[:_LONGEST_SLUG]}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"
