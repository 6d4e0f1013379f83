"""The cache of artifacts: what was made once from the same things is not made again.

A key names everything that an artifact depends on. Files appear by renaming, so that a reader
sees a whole file or none, and two runs may share the folder.

    artifacts/KEY.json      what was made, and how
    tflite/SHA256.tflite    the files
    downloads/SHA256.json   how large each is when packed
    evaluation/DIGEST.safetensors   samples, ready for a device, and labels
    models/KEY.keras        Keras models: trained base models, and states after training steps
    models/KEY.training.npz a training under way, after its last epoch
    logs/                   what TensorFlow printed, where a run died

A .tflite is named by its hash; beside the other files lies FILE.sha256. What is not as its hash
says is made anew.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench.compress.pipeline.pack import PACKERS, measure
from mobilebench.compress.step import unreported
from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench.files import sha256_of

if TYPE_CHECKING:
    from mobilebench.compress.step import Report
    from mobilebench.models.tensor_file import Streamed

#: Counted up whenever the same key would mean something else.
FORMAT = 1

#: How the names of folders with files in the making begin, and when such a folder is forgotten.
MAKING = "making-"
_STALE_SECONDS = 2 * 24 * 3600
_OLD_LOG_SECONDS = 7 * 24 * 3600
#: Nobody has gone on with a training that was interrupted so long ago.
_OLD_TRAINING_SECONDS = 30 * 24 * 3600

#: What else decides what is made from the same things: the code, edited or not.
_SOURCES = (
    "compress/**/*.py",
    "tflite/*.py",
    "models/zoo.py",
    "models/copies.py",
    "models/keras_*.py",
    "models/training.py",
    "models/training_settings.py",
    "models/objective.py",
    "models/checkpoint.py",
    "models/compiled.py",
    "models/gather.py",
    "models/kernels.py",
    "models/data_files.py",
    "models/datasets.py",
    "models/hooks.py",
    "models/inputs.py",
    "models/labels.py",
    "models/similarity.py",
)


@dataclass(frozen=True)
class CachedFile:
    """One .tflite in the cache, before a model's and a recipe's name are put on it.

    ``steps`` is what was done and found, step by step.
    """

    sha256: str
    bytes: int
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
        for name in ("artifacts", "tflite", "downloads", "evaluation", "models"):
            (root / name).mkdir(parents=True, exist_ok=True)

    def find(self, key: str) -> CachedFile | None:
        """What was made under this key, if its file is still there and whole."""
        try:
            document = json.loads((self.root / "artifacts" / f"{key}.json").read_text("utf-8"))
            made = CachedFile(
                **{
                    **document,
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
        warnings: tuple[str, ...],
        steps: tuple[dict[str, Any], ...],
        provenance: dict[str, Any],
    ) -> CachedFile:
        """Keeps a .tflite under a key."""
        made = CachedFile(
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
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

    def find_packed_sizes(self, sha256: str) -> dict[str, int]:
        """Those packed sizes of the .tflite of that hash that were measured before."""
        try:
            known = json.loads(self._packed_sizes(sha256).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(known, dict):
            return {}
        return {name: known[name] for name in PACKERS if type(known.get(name)) is int}

    def packed_sizes(
        self, sha256: str, packings: Collection[str], report: Report = unreported
    ) -> dict[str, int]:
        """The sizes by ``packings`` of the .tflite of that hash; those not known are measured."""
        known = self.find_packed_sizes(sha256)
        if missing := [name for name in packings if name not in known]:
            known |= measure(self.path(sha256).read_bytes(), missing, report)
            self._write(self._packed_sizes(sha256), json.dumps(known).encode())
        return {name: known[name] for name in PACKERS if name in packings}

    def _packed_sizes(self, sha256: str) -> Path:
        return self.root / "downloads" / f"{sha256}.json"

    def find_model(self, key: str) -> Path | None:
        """The Keras model of that key, if its file is there and whole."""
        path = self.root / "models" / f"{key}.keras"
        return path if self._sealed(path) else None

    def keep_model(self, key: str, write: Callable[[Path], None]) -> Path:
        """Keeps the Keras model that ``write`` writes to a file, and returns where."""
        temporary = self.scratch / f"{key}.keras"
        write(temporary)
        path = self.root / "models" / temporary.name
        self._keep_sealed(temporary, path)
        return path

    def checkpoint(self, key: str) -> Path:
        """Where a training under way is kept, of the model of that key."""
        return self.root / "models" / f"{key}.training.npz"

    def evaluation(
        self,
        digest: Mapping[str, Any],
        make: Callable[[], Mapping[str, Streamed]],
        *,
        texts: Sequence[str],
    ) -> tuple[Path, str]:
        """The file of evaluation data that ``digest`` says all of, and its SHA-256.

        Args:
            digest: what decides what is in it.
            make: gives the tensors by key, where they are not there yet.
            texts: the keys of labels that are texts.
        """
        from mobilebench.models import tensor_file  # the host, which makes none, needs no NumPy

        path = self.root / "evaluation" / f"{key_of(digest)}.safetensors"
        sha256 = self._sealed(path)
        if sha256 is None:
            temporary = self.scratch / path.name
            try:
                tensor_file.write(temporary, make(), dict.fromkeys(texts, "text"))
            except (OSError, ValueError) as error:
                raise InvalidRunError(f"could not write to {path.parent}: {error}") from error
            sha256 = self._keep_sealed(temporary, path)
        return path, sha256

    def _keep_sealed(self, temporary: Path, path: Path) -> str:
        """Keeps a file with its SHA-256 beside it, and returns that."""
        sha256 = sha256_of(temporary)
        self._rename(temporary, path)
        self._write(_seal(path), sha256.encode())
        return sha256

    @staticmethod
    def _sealed(path: Path) -> str | None:
        """The file's SHA-256 if it is the one beside it, else None."""
        try:
            sha256 = sha256_of(path)
            return sha256 if _seal(path).read_bytes() == sha256.encode() else None
        except OSError:
            return None

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


def _seal(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def prepare(root: Path) -> None:
    """Makes the folder, and clears away old logs, trainings and what a killed run left.

    Raises:
        BadInputError: it cannot be written.
    """
    try:
        (root / "logs").mkdir(parents=True, exist_ok=True)
        for leftover in root.glob(f"{MAKING}*"):
            if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)
        for log in root.glob("logs/*.log"):
            if time.time() - log.stat().st_mtime > _OLD_LOG_SECONDS:
                log.unlink(missing_ok=True)
        for training in root.glob("models/*.training.npz*"):
            if time.time() - training.stat().st_mtime > _OLD_TRAINING_SECONDS:
                training.unlink(missing_ok=True)
    except OSError as error:
        raise BadInputError(
            f"cannot write the cache {root}: {error.strerror}; choose another folder"
        ) from error


def key_of(parts: Mapping[str, Any]) -> str:
    """The name of everything that something depends on."""
    known = {"format": FORMAT, "code": _code(), **parts}
    text = json.dumps(known, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@functools.cache
def _code() -> str:
    """A hash of the code that makes things: an edited technique makes them anew."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[2]
    for path in sorted(path for pattern in _SOURCES for path in package.glob(pattern)):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def versions_of(*packages: str) -> dict[str, str]:
    """The installed versions, without importing anything."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
