"""Bundles of MediaPipe tasks: an archive of models, each named as ``face.task/detector.tflite``."""

from __future__ import annotations

import zipfile
from pathlib import Path

from mobilebench.errors import BadInputError, did_you_mean, first_line

SUFFIX = ".task"
#: What one model of a bundle may unpack to.
_LARGEST = 4 * 2**30


def bundle_of(path: Path) -> Path | None:
    """The bundle that a path leads into; None where it leads into none."""
    return next((p for p in path.parents if p.suffix == SUFFIX and p.is_file()), None)


def read_member(path: Path) -> bytes:
    """A model of a bundle.

    Raises:
        BadInputError: there is none of that name, or the bundle is torn.
    """
    bundle = bundle_of(path)
    assert bundle is not None
    wanted = path.relative_to(bundle).as_posix()
    names = _members(bundle)
    if wanted not in names:
        hint = did_you_mean(wanted, names)
        raise BadInputError(f"bundle {bundle} has no model {wanted!r}: {hint}{_holds(names)}")
    try:
        with zipfile.ZipFile(bundle) as archive:
            if archive.getinfo(wanted).file_size > _LARGEST:
                raise BadInputError(f"model {path} is larger than {_LARGEST // 2**30} GiB")
            return archive.read(wanted)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise BadInputError(f"model {path} cannot be read: {first_line(error)}") from error


def refuse_whole(bundle: Path) -> BadInputError:
    """Why a bundle is no model by itself, with the models in it."""
    names = _members(bundle)
    if not names:
        return BadInputError(f"bundle {bundle} {_holds(names)}")
    return BadInputError(
        f"{bundle} is a bundle of models: {_holds(names)}; name one, as {bundle / names[0]}"
    )


def _members(bundle: Path) -> list[str]:
    try:
        with zipfile.ZipFile(bundle) as archive:
            return [name for name in archive.namelist() if name.endswith(".tflite")]
    except (OSError, zipfile.BadZipFile) as error:
        raise BadInputError(f"bundle {bundle} cannot be read: {first_line(error)}") from error


def _holds(names: list[str]) -> str:
    return f"it holds {', '.join(names)}" if names else "holds no .tflite file"
