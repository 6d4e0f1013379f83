"""Finished runs in a bucket, or wherever else fsspec reaches: what a query needs of them is copied.

Only files of known names are copied, into folders that are named here: nothing that a bucket says
becomes a path. Credentials come from the environment, as the storage's own tools read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mobilebench.errors import BadInputError, first_line
from mobilebench.store.folder import MANIFEST, SAMPLES, TABLE, TRIALS

_S3 = "s3fs: pip install 'mobilebench[s3]'"
_PACKAGES = {"s3": _S3, "s3a": _S3}


def is_url(place: object) -> bool:
    """Whether a place is not of this computer's folders."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.:-]*://", str(place)) is not None


def copy_runs(url: str, scratch: Path, samples: bool) -> dict[Path, str]:
    """Copies what a query needs of some runs.

    Args:
        url: a run, a folder of runs, or a pattern of either (``s3://bucket/results/*``).
        scratch: where the copies are made.
        samples: whether raw samples are needed, too.

    Returns:
        A folder for each run, and the URL that it was copied from.

    Raises:
        BadInputError: there is no run, it cannot be read, or the storage's package is missing.
    """
    shown = re.sub(r"//[^/@]*@", "//", url)  # without a password
    try:
        return _copied(url, scratch, samples)
    except ImportError as error:
        kind = url.partition("://")[0]
        needed = _PACKAGES.get(kind, f"the fsspec package of {kind}://: {first_line(error)}")
        raise BadInputError(f"to read {shown} needs {needed}") from error
    except BadInputError as error:
        raise BadInputError(f"{shown}: {error}") from error
    except Exception as error:  # each storage has errors of its own
        raise BadInputError(
            f"cannot read {shown}: {first_line(error) or type(error).__name__}"
        ) from error


def _copied(url: str, scratch: Path, samples: bool) -> dict[Path, str]:
    from fsspec.core import url_to_fs

    storage, path = url_to_fs(url)
    storage.invalidate_cache()
    path = path.rstrip("/")
    runs = _folders(storage, f"{path}/{MANIFEST}") or _folders(storage, f"{path}/*/{MANIFEST}")
    if not runs:
        raise BadInputError(f"there is no run: no {MANIFEST} in it or in a folder of it")
    names = (MANIFEST, TABLE, *((TRIALS, SAMPLES) if samples else ()))
    found: dict[Path, str] = {}
    wanted: list[tuple[str, str]] = []
    for number, run in enumerate(runs):
        folder = scratch / str(number)
        folder.mkdir(parents=True)
        found[folder] = storage.unstrip_protocol(run)
        # A listing of its folder alone: a run's artifacts are never asked for.
        there = {str(file).rpartition("/")[2] for file in storage.ls(run, detail=False)}
        wanted += [(f"{run}/{name}", str(folder / name)) for name in names if name in there]
    sources, targets = zip(*wanted, strict=True)
    storage.get(list(sources), list(targets))
    return found


def _folders(storage: Any, pattern: str) -> list[str]:
    files: Iterable[Any] = storage.glob(pattern)
    return sorted(str(file).rpartition("/")[0] for file in files)
