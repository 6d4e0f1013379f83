"""``mobilebench compress``: the files of a few recipes, without measuring them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mobilebench.cache import cache_folder
from mobilebench.compress.artifact import Artifact, Failure, Progress
from mobilebench.compress.service import compress_variants
from mobilebench.devices.local.device import LocalDevice
from mobilebench.errors import BadInputError
from mobilebench.files import write_atomically
from mobilebench.runs.latency_probe import latency_probe_on
from mobilebench.suite.schema import validate

#: Longer names are cut: file systems take 255 bytes.
_LONGEST_SLUG = 150


@dataclass(frozen=True)
class Products:
    """The files that were made, and the recipes that could not be."""

    files: tuple[tuple[Path, Artifact], ...]
    failures: tuple[Failure, ...]

    def as_json(self) -> dict[str, Any]:
        """For a machine: each file with its sizes and provenance."""
        return {
            "files": [
                {
                    "path": str(path),
                    "recipe": artifact.recipe,
                    "sha256": artifact.sha256,
                    "bytes": artifact.bytes,
                    "gzip_bytes": artifact.gzip_bytes,
                    "zstd_bytes": artifact.zstd_bytes,
                    "xz_bytes": artifact.xz_bytes,
                    "warnings": list(artifact.warnings),
                    "provenance": dict(artifact.provenance),
                }
                for path, artifact in self.files
            ],
            "failures": [vars(failure) for failure in self.failures],
        }

    def show(self, console: Console) -> None:
        """For a person: a table of sizes, then each file with its warnings, then the failures.

        What is to be said of every file is said once.
        """
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("recipe", overflow="fold")
        for column in ("bytes", "gzip", "zstd", "xz"):
            table.add_column(column, justify="right", no_wrap=True)
        for _, made in self.files:
            sizes = (made.bytes, made.gzip_bytes, made.zstd_bytes, made.xz_bytes)
            table.add_row(Text(made.recipe), *(f"{size:,}" for size in sizes))
        if self.files:
            console.print(table, Text())
        all_warnings = [made.warnings for _, made in self.files]
        shared = set.intersection(*map(set, all_warnings)) if len(all_warnings) > 1 else set()
        for path, made in self.files:
            console.print(Text(str(path)), soft_wrap=True)  # to be copied whole
            for warning in made.warnings:
                if warning not in shared:
                    console.print(_indented(Text(f"warning: {warning}", style="yellow")))
        for warning in sorted(shared):
            console.print(Text(f"warning, of all: {warning}", style="yellow"))
        for failure in self.failures:
            console.print(Text.assemble(("not made", "bold red"), f" {failure.recipe}"))
            known = failure.step == failure.recipe or failure.reason.startswith(failure.step)
            step = "" if known else f"{failure.step}: "
            console.print(_indented(Text(f"{step}{failure.reason}")))


def make_files(
    model: str,
    recipes: Sequence[str],
    settings: Mapping[str, object],
    seed: int,
    into: Path,
    on_progress: Callable[[Progress], None],
) -> Products:
    """Makes one ``.tflite`` a recipe in the folder ``into``.

    Args:
        model: ``zoo:NAME`` or a path.
        recipes: as texts.
        settings: what a suite may say of a model beside that: ``data``, ``student``, ``teachers``.
        seed: of training and calibration.
        into: made if it is not there.
        on_progress: told how it goes.

    Raises:
        BadInputError: the model, its data or a recipe is not there or not valid, or the folder
            cannot be written.
    """
    name = model.removeprefix("zoo:").rstrip("/").rsplit("/", 1)[-1].rsplit(".", 1)[0] or "model"
    entry: dict[str, object] = {"name": name, "source": model, "recipes": list(recipes)}
    entry |= {key: value for key, value in settings.items() if value}
    suite = validate({"name": "compress", "seed": seed, "models": [entry]}, model, Path())
    latency_probe = None
    if any(recipe.needs_device for _, recipe in suite.variants()):
        device = LocalDevice("this-machine", None, cache_folder())
        latency_probe = latency_probe_on(device, device.probe(), suite.runtimes[0], seed)
    outcome = compress_variants(
        suite.variants(),
        seed=seed,
        cache=cache_folder(),
        on_progress=on_progress,
        latency_probe=latency_probe,
    )
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"cannot make the folder {into}: {error.strerror}") from error
    files = []
    for artifact in outcome.artifacts:
        path = into / f"{name}.{_slug(artifact.recipe)}.tflite"
        write_atomically(path, artifact.path.read_bytes())
        files.append((path, artifact))
    return Products(tuple(files), outcome.failures)


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 2), expand=False)


def _slug(recipe: str) -> str:
    """``prune(0.8) → int8`` as ``prune-0.8-int8``."""
    words = "".join(c if c.isascii() and (c.isalnum() or c in "._") else " " for c in recipe)
    slug = "-".join(words.split())
    if len(slug) <= _LONGEST_SLUG:
        return slug
    return f"{slug[:_LONGEST_SLUG]}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"
