"""The cache of artifacts: what was made once from the same things is not made again.

A key names everything that an artifact depends on. Files appear by renaming, so that a reader
sees a whole file or none, and two runs may share the folder.

    artifacts/KEY.json      what was made, and how
    tflite/SHA256.tflite    the files
    evaluation/DIGEST.npz   labelled samples, ready for a device
    models/KEY.keras        trained base models
    logs/                   what TensorFlow printed, where a run died
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from harness.compress.artifact import EvaluationSet
from harness.errors import BadInputError, InvalidRunError
from harness.models.array import Array

#: Counted up whenever the same key would mean something else.
FORMAT = 1

#: How the names of folders with files in the making begin, and when such a folder is forgotten.
MAKING = "making-"
_STALE_SECONDS = 2 * 24 * 3600


@dataclass(frozen=True)
class Made:
    """One .tflite in the cache, before a model's and a recipe's name are put on it.

    ``classes`` and ``input_shape`` are the model's; ``steps`` is what was done and found, step
    by step.
    """

    sha256: str
    bytes: int
    gzip_bytes: int
    input_shape: tuple[int, ...]
    classes: int | None
    warnings: tuple[str, ...] = ()
    steps: tuple[dict[str, Any], ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)


class Cache:
    """One cache folder.

    Args:
        root: made if need be.
        scratch: a folder on the same disk for files in the making.
    """

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self.scratch = scratch
        for name in ("artifacts", "tflite", "evaluation", "models"):
            (root / name).mkdir(parents=True, exist_ok=True)

    def find(self, key: str) -> Made | None:
        """What was made under this key, if its file is still there and whole."""
        try:
            document = json.loads((self.root / "artifacts" / f"{key}.json").read_text("utf-8"))
            made = Made(
                **{
                    **document,
                    "input_shape": tuple(document["input_shape"]),
                    "warnings": tuple(document["warnings"]),
                    "steps": tuple(document["steps"]),
                }
            )
            content = self.path(made.sha256).read_bytes()
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return made if hashlib.sha256(content).hexdigest() == made.sha256 else None

    def keep(
        self,
        key: str,
        content: bytes,
        *,
        input_shape: tuple[int, ...],
        classes: int | None,
        warnings: tuple[str, ...],
        steps: tuple[dict[str, Any], ...],
        provenance: dict[str, Any],
    ) -> Made:
        """Keeps a .tflite under a key."""
        made = Made(
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            gzip_bytes=len(gzip.compress(content, 9, mtime=0)),
            input_shape=input_shape,
            classes=classes,
            warnings=warnings,
            steps=steps,
            provenance=provenance,
        )
        self._write(self.path(made.sha256), content)
        document = json.dumps(made.__dict__, ensure_ascii=False, allow_nan=False, indent=1)
        self._write(self.root / "artifacts" / f"{key}.json", document.encode())
        return made

    def path(self, sha256: str) -> Path:
        """Where the .tflite of that hash is."""
        return self.root / "tflite" / f"{sha256}.tflite"

    def model_path(self, key: str) -> Path:
        """Where the trained base model of that key is, or would be."""
        return self.root / "models" / f"{key}.keras"

    def keep_model(self, key: str, model: Any) -> None:
        """Keeps a Keras model."""
        temporary = self.scratch / f"{key}.keras"
        model.save(temporary)
        self._rename(temporary, self.model_path(key))

    def evaluation(
        self, name: str, digest: str, shape: tuple[int, ...], samples: tuple[Array, Array]
    ) -> EvaluationSet:
        """Labelled samples as a file; ``digest`` and ``shape`` say what is in it.

        Args:
            name: the dataset's.
            digest: of the dataset.
            shape: of one sample, in the model's input format.
            samples: float32 (count, *shape*) and class indices (count,).
        """
        address = key_of({"data": digest, "shape": shape})
        path = self.root / "evaluation" / f"{address}.npz"
        if not path.exists():
            x, y = samples
            temporary = self.scratch / path.name
            with temporary.open("wb") as file:
                np.savez(file, x=x, y=y)
            self._rename(temporary, path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return EvaluationSet(name, path, sha256, len(samples[1]))

    def _write(self, path: Path, content: bytes) -> None:
        temporary = self.scratch / path.name
        try:
            temporary.write_bytes(content)
        except OSError as error:
            raise InvalidRunError(f"could not write to {path.parent}: {error.strerror}") from error
        self._rename(temporary, path)

    @staticmethod
    def _rename(temporary: Path, path: Path) -> None:
        try:
            os.replace(temporary, path)
        except OSError as error:
            raise InvalidRunError(f"could not write {path}: {error.strerror}") from error


def prepare(root: Path) -> None:
    """Makes the folder, and clears away what a killed run left in the making long ago.

    Raises:
        BadInputError: it cannot be written.
    """
    try:
        (root / "logs").mkdir(parents=True, exist_ok=True)
        for leftover in root.glob(f"{MAKING}*"):
            if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)
    except OSError as error:
        raise BadInputError(
            f"cannot write the cache {root}: {error.strerror}; choose another folder"
        ) from error


def key_of(parts: Mapping[str, Any]) -> str:
    """The name of everything that something depends on."""
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def versions_of(*packages: str) -> dict[str, str]:
    """The installed versions, without importing anything."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
