"""Compressing models, and looking into them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mobilebench.api.arguments import (
    InputShapes,
    StrPath,
    shapes_by_input,
    text_or_none,
    texts,
)
from mobilebench.api.progress import OnProgress, watcher_of

if TYPE_CHECKING:
    from mobilebench.compress.artifact import Artifact, Failure
    from mobilebench.runs.run import Watcher
    from mobilebench.tflite.inspect import ModelFacts


def compress(
    model: StrPath,
    *recipes: str,
    data: StrPath | None = None,
    student: StrPath | None = None,
    teachers: StrPath | Sequence[StrPath] = (),
    shapes: InputShapes = (),
    signature: str | None = None,
    seed: int = 0,
    downloads: Sequence[str] = (),
    jobs: int = 1,
    into: StrPath = ".",
    progress: OnProgress | Watcher | None = None,
) -> list[Artifact | Failure]:
    """Makes a ``.tflite`` file for each recipe, without measuring it.

    Args:
        model: ``zoo:NAME``, a ``.keras`` file, a SavedModel folder or a ``.tflite`` file.
        recipes: chains of steps, such as ``"prune(0.8) -> int8"``.
        data: an ``.npz`` or ``.py`` file, or a set by name.
        student: the smaller model that ``distill`` trains.
        teachers: what ``distill`` learns from in the model's place.
        shapes: of inputs that the model leaves open, with the batch: by name, or of the only one.
        signature: which one of a file's is meant; None: the first.
        seed: of training and calibration.
        downloads: packings whose sizes are computed beside that of gzip: ``"zstd"``, ``"xz"``.
        jobs: how many are made side by side, each in a process of its own.
        into: the folder for the files; it is made if it is not there.
        progress: is given each ``Progress``.

    Returns:
        For each recipe, in their order, an ``Artifact`` (its ``path``, sizes in bytes,
        warnings and provenance), or a ``Failure`` with the ``step`` and the ``reason``.

    Raises:
        BadInputError: the model, its data or a recipe is not there or not valid, or the folder
            cannot be written.
        KeyboardInterrupt: what was finished is in the cache.
    """
    from mobilebench.runs import compress_files

    settings = {
        "data": text_or_none(data),
        "student": text_or_none(student),
        "teachers": texts(teachers),
        "shapes": shapes_by_input(shapes),
        "signature": signature,
    }
    return compress_files.make_files(
        os.fspath(model),
        recipes,
        settings,
        seed,
        Path(into),
        watcher_of(progress).compressing,
        downloads,
        jobs,
    )


def inspect(
    model: StrPath,
    *,
    shapes: InputShapes = (),
    signature: str | None = None,
    progress: OnProgress | Watcher | None = None,
) -> ModelFacts:
    """Looks into a model, layer by layer.

    Args:
        model: a ``.tflite`` file, or what becomes one: a ``.keras`` file, a SavedModel folder,
            ``zoo:NAME``.
        shapes: of inputs that it leaves open, with the batch: by name, or of the only one.
        signature: which one is looked into; None: the first.
        progress: is given each ``Progress`` while it is converted.

    Returns:
        Its inputs, outputs, sizes (bytes), weights and multiply-accumulates, and each of its
        ``layers``.

    Raises:
        BadInputError: there is no such model, or it cannot be read or converted.
    """
    from mobilebench.runs import compress_files
    from mobilebench.tflite import entry
    from mobilebench.tflite import inspect as inspection

    name = os.fspath(model)
    content = compress_files.tflite_of(name, watcher_of(progress).compressing)
    content = entry.enter(content, name, signature=signature, shapes=shapes_by_input(shapes))
    return inspection.read(content, Path(name).name)
