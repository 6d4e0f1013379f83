"""Removing what runs leave behind: in the cache, and on phones and boards."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mobilebench.cache import cache_folder
from mobilebench.devices.base import TrialError
from mobilebench.devices.sent_files import KeepsFiles, Removed
from mobilebench.errors import DeviceError
from mobilebench.runs import selection
from mobilebench.runs.leases import Leases
from mobilebench.text import size_in

#: The variable that holds the cache to a size after each run.
LIMIT = "MOBILEBENCH_CACHE_LIMIT"

#: What can be made again, unlike calibrated noise, batteries' profiles, and whom a user trusts.
_FOLDERS = (
    *("artifacts", "tflite", "downloads", "evaluation", "models", "references", "runnable"),
    "lab/files",
)
_LOOSE = ("agent-*.pyz", "making-*", "logs/*.log")
#: Somebody's run may be about to use what is as new as that; it would make it once more.
_FRESH_SECONDS = 3600.0
#: After so long nobody goes on with what a lab host has measured for somebody's run.
_LANE_SECONDS = 30 * 24 * 3600.0


@dataclass(frozen=True)
class Cleaned:
    """What was done in one place.

    Attributes:
        name: a device's, or ``cache``.
        removed: what is gone; with ``reason`` nothing.
        reason: why nothing could be done.
    """

    name: str
    removed: Removed = field(default_factory=Removed)
    reason: str = ""


def clean_cache(keep_bytes: int, fresh_seconds: float = _FRESH_SECONDS) -> Cleaned:
    """Removes what can be made again, the longest unused first, down to so many bytes.

    Args:
        keep_bytes: what may stay.
        fresh_seconds: what was used within that time stays in any case.
    """
    now, kept, files, size = time.time(), 0, 0, 0
    full = False
    for used, length, paths in sorted(_entries(cache_folder()), reverse=True):
        full = full or kept + length > keep_bytes
        if not full or now - used < fresh_seconds:
            kept += length
            continue
        for path in paths:
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        files, size = files + 1, size + length
    return Cleaned("cache", Removed(files, size, kept))


def keep_to_limit() -> None:
    """Keeps the cache to the size that the user's environment names, if it names one.

    Raises:
        BadInputError: it names none.
    """
    limit = size_in(LIMIT)
    if limit is not None:
        clean_cache(limit)


def clean_devices(selected: Sequence[str], keep_bytes: int) -> list[Cleaned]:
    """Removes what runs have sent to devices, one after the other.

    Args:
        selected: as ``--device`` names them.
        keep_bytes: what may stay on each, of what was used last.

    Raises:
        BadInputError: one is not there.
    """
    done = []
    for spec in selection.choose_devices(selected, ()):
        device = selection.open_device(spec)
        if not isinstance(device, KeepsFiles):
            done.append(Cleaned(spec.name, reason="nothing is sent to it"))
            continue
        try:
            with Leases(leaves_files=True) as leases:
                leases.take(device)
                done.append(Cleaned(spec.name, device.clean(keep_bytes)))
        except (DeviceError, TrialError) as error:
            done.append(Cleaned(spec.name, reason=str(error)))
    return done


def _entries(root: Path) -> Iterator[tuple[float, int, tuple[Path, ...]]]:
    """When each thing in the cache was last used, how large it is, and its files."""
    for path in [path for name in _FOLDERS for path in (root / name).glob("*")]:
        if path.suffix != ".sha256":
            seal = path.with_name(f"{path.name}.sha256")
            yield _entry(path, *([seal] if seal.exists() else []))
    for path in (root / "lab" / "lanes").glob("*"):
        entry = _entry(path)
        # One that is under way was used just now.
        if time.time() - entry[0] > _LANE_SECONDS:
            yield entry
    for pattern in _LOOSE:
        for path in root.glob(pattern):
            yield _entry(path)


def _entry(*paths: Path) -> tuple[float, int, tuple[Path, ...]]:
    used, size = 0.0, 0
    for path in paths:
        # To look into a folder is to use it: what counts is in it.
        for file in list(path.rglob("*")) if path.is_dir() else [path]:
            with contextlib.suppress(OSError):
                found = file.stat()
                if not file.is_dir():
                    used = max(used, found.st_mtime, found.st_atime)
                    size += found.st_size
    if not used:
        with contextlib.suppress(OSError):
            used = paths[0].stat().st_mtime
    return used, size, paths
