"""Where a model comes from, and how it becomes a Keras model or a .tflite file.

``find_source`` and ``find_student`` look and hash without TensorFlow; loading needs it,
except for a ready ``.tflite``.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mobilebench.errors import BadInputError
from mobilebench.models.bundle import SUFFIX, bundle_of, read_member, refuse_whole
from mobilebench.models.keras_file import H5_SUFFIXES, count_ends, layer_classes
from mobilebench.models.layer_kinds import LayerKind, of_classes
from mobilebench.models.spec import ModelSpec
from mobilebench.models.training_settings import TrainingSettings
from mobilebench.models.zoo import ZOO, ZooModel, zoo_model

if TYPE_CHECKING:
    from mobilebench.models.keras_source import Loaded

Kind = Literal["zoo", "keras", "saved_model", "tflite", "torch", "onnx"]

#: By the end of its name.
_FOREIGN: dict[str, Kind] = {".pt2": "torch", ".py": "torch", ".onnx": "onnx"}
_CALLED = {
    "zoo": "a model of the zoo",
    "keras": "a Keras model",
    "saved_model": "a SavedModel",
    "tflite": "a .tflite file",
    "torch": "a PyTorch model",
    "onnx": "an ONNX model",
}

#: Bytes 4 to 8 of a .tflite file.
_TFLITE_IDENTIFIER = b"TFL3"
#: The first bytes of a Keras model in HDF5.
_HDF5_IDENTIFIER = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Source:
    """A model that exists.

    Attributes:
        text: as the suite names it.
        kind: decides what can be done with it: only ``zoo`` and ``keras`` can be retrained.
        digest: SHA-256 of the file or folder, or of what defines a zoo model.
        zoo: the zoo's entry, for kind ``zoo``.
    """

    text: str
    kind: Kind
    digest: str
    zoo: ZooModel | None = None

    @property
    def name(self) -> str:
        """What results call it: no folder of the user's."""
        return self.text if self.kind == "zoo" else self.path.name

    @property
    def path(self) -> Path:
        """The file or folder, for every kind but ``zoo``."""
        return Path(self.text)

    def read(self) -> bytes:
        """The content of a ready file, in a bundle or by itself.

        Raises:
            BadInputError: it cannot be read.
        """
        return read_member(self.path) if bundle_of(self.path) else _read(self.path)

    @property
    def called(self) -> str:
        """What it is, in words."""
        return _CALLED[self.kind]

    @property
    def is_foreign(self) -> bool:
        """Whether it is of another framework, and so converted in an environment of its own."""
        return self.kind in ("torch", "onnx")

    @property
    def trainable(self) -> bool:
        """Whether steps that retrain can start from it."""
        return self.kind in ("zoo", "keras")

    @property
    def ends(self) -> tuple[int, int]:
        """How many inputs and outputs it has, as far as can be known without TensorFlow."""
        return count_ends(self.path) if self.kind == "keras" else (1, 1)

    @property
    def layer_kinds(self) -> tuple[LayerKind, ...]:
        """The kinds of its layers, as far as they are known without TensorFlow or its graph."""
        if self.zoo is not None:
            return self.zoo.layers
        return of_classes(layer_classes(self.path)) if self.kind == "keras" else ()

    @property
    def levels(self) -> bool:
        """Whether integers become 0..1 for it: a user's own model takes its data as they are."""
        return self.zoo is not None and self.zoo.levels

    @property
    def settings(self) -> TrainingSettings:
        """How it is trained; a user's own model has the defaults."""
        known = None if self.zoo is None else self.zoo.training
        return known or TrainingSettings()


def find_source(text: str) -> Source:
    """The model that a suite names.

    Raises:
        BadInputError: no such model, or a file that is not what its name says.
    """
    if text.startswith("zoo:"):
        name = text.removeprefix("zoo:")
        entry = zoo_model(name)
        digest = hashlib.sha256(f"zoo {name} {entry.training}".encode()).hexdigest()
        return Source(text, "zoo", digest, entry)
    path = Path(text)
    if bundle_of(path) is not None:
        content = read_member(path)
        check_tflite(content, text)
        return Source(text, "tflite", hashlib.sha256(content).hexdigest())
    if not path.exists():
        name = path.name.lower().removeprefix("zoo:")
        hint = f"; did you mean zoo:{name}? It" if name in ZOO else "; it"
        raise BadInputError(
            f"model {text} does not exist{hint} must be zoo:NAME, a .keras or .h5 file, a "
            "SavedModel folder, a .tflite, .onnx or .pt2 file, or a Python file with get_model()"
        )
    if path.is_dir():
        if not (path / "saved_model.pb").is_file():
            raise BadInputError(f"model folder {text} is no SavedModel: it has no saved_model.pb")
        return Source(text, "saved_model", _folder_digest(path))
    if path.suffix == SUFFIX:
        raise refuse_whole(path)
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    if path.suffix == ".tflite":
        check_tflite(content, text)
        return Source(text, "tflite", digest)
    return Source(text, _kind_of_file(path, content, text), digest)


def _kind_of_file(path: Path, content: bytes, text: str) -> Kind:
    """What a file's name says that it is, if it is that.

    Raises:
        BadInputError: it is something else.
    """
    if path.suffix in H5_SUFFIXES:
        if content[:8] != _HDF5_IDENTIFIER:
            raise BadInputError(f"model {text} is torn or no HDF5 file, which its name says it is")
        return "keras"
    if path.suffix == ".keras":
        if not zipfile.is_zipfile(path):
            raise BadInputError(f"model {text} is torn or no .keras file: it is no zip archive")
        return "keras"
    if path.suffix in _FOREIGN:
        return _FOREIGN[path.suffix]
    raise BadInputError(
        f"model {text} has an unknown format; it must be a .keras or .h5 file, a SavedModel "
        "folder, a .tflite, .onnx or .pt2 file, or a Python file with get_model()"
    )


def find_student(spec: ModelSpec, source: Source) -> Source | None:
    """The architecture that ``distill`` and ``student`` train, or None if there is none.

    Raises:
        BadInputError: the suite names one that does not exist or cannot be trained.
    """
    text = spec.student
    if text is None:
        own = None if source.zoo is None else source.zoo.student
        text = None if own is None else f"zoo:{own}"
    if text is None:
        return None
    student = find_source(text)
    if not student.trainable:
        raise BadInputError(
            f"model {spec.name!r}: student {text} cannot be trained; "
            "it must be zoo:NAME or a .keras file"
        )
    return student


def find_teachers(spec: ModelSpec) -> tuple[Source, ...]:
    """The models that ``distill`` learns from instead of the model itself; none if it is that.

    Raises:
        BadInputError: the suite names one that does not exist, or a SavedModel.
    """
    teachers = tuple(find_source(text) for text in spec.teachers)
    for teacher in teachers:
        if teacher.kind == "saved_model" or teacher.is_foreign:
            raise BadInputError(
                f"model {spec.name!r}: teacher {teacher.text} is of another kind; "
                "give zoo:NAME, a .keras or a .tflite file"
            )
    return teachers


def build_fresh(source: Source) -> Any:
    """A Keras model of the source's architecture with fresh random weights.

    The caller has seeded Keras.
    """
    from mobilebench.models.copies import fresh_copy

    if source.zoo is not None:
        return source.zoo.build()
    return fresh_copy(load_keras(source).model)


def load_keras(
    source: Source,
    shapes: Mapping[str, tuple[int, ...]] = {},
    samples: Mapping[str, tuple[int, ...]] = {},
) -> Loaded:
    """The model of a ``.keras`` or ``.h5`` file; see :func:`mobilebench.models.keras_source.load`.

    Raises:
        BadInputError: the file needs code that is not there, or is torn, or a shape stays open.
    """
    from mobilebench.models import keras_source

    return keras_source.load(source.path, source.text, shapes, samples)


def check_tflite(content: bytes, where: str) -> None:
    """Refuses what is no .tflite file.

    Raises:
        BadInputError: the file is empty, torn, or something else.
    """
    if content[4:8] != _TFLITE_IDENTIFIER:
        raise BadInputError(
            f"model {where} is no .tflite file: "
            + ("it is empty" if not content else "it lacks the identifier TFL3")
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(f"model {path} cannot be read: {error.strerror}") from error


def _folder_digest(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        content = _read(file)
        digest.update(f"{file.relative_to(path).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
