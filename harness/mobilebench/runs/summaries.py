"""From a run's folder to its summary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from mobilebench.analysis import summarise
from mobilebench.analysis.summary import Summary
from mobilebench.errors import BadInputError
from mobilebench.store.folder import MANIFEST, RunFolder


def summary_of(folder: RunFolder) -> Summary:
    """The run's summary, as tables and the terminal show it.

    Raises:
        BadInputError: the folder is damaged.
    """
    manifest = folder.manifest()
    _ensure_sound(folder.path / MANIFEST, manifest)
    try:
        return summarise(manifest, folder.trials(), folder.timings())
    # What an agent told of a trial has no fixed form, so its types are not checked beforehand.
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise BadInputError(
            f"{folder.path} is damaged: its trials are not as a run writes them ({error})"
        ) from error


#: The parts of a manifest that are lists of tables, and what stands in each table.
_PARTS: dict[str, dict[str, tuple[type, ...]]] = {
    "plan": {"trial": (str,), "device": (str,), "model": (str,), "recipe": (str,),
             "runtime": (str,)},
    "artifacts": {"model": (str,), "recipe": (str,), "sha256": (str,), "bytes": (int,),
                  "gzip_bytes": (int, NoneType), "zstd_bytes": (int, NoneType),
                  "xz_bytes": (int, NoneType), "dataset": (dict, NoneType), "warnings": (list,)},
    "failures": {"model": (str,), "recipe": (str,), "reason": (str,)},
    "models": {"name": (str,), "baseline": (str,)},
    "devices": {"name": (str,)},
    "runtimes": {"name": (str,)},
}  # fmt: skip


#: What an older or an interrupted run may not have.
_MAY_LACK = {"gzip_bytes", "zstd_bytes", "xz_bytes", "dataset", "warnings", "baseline"}


def _ensure_sound(path: Path, manifest: Mapping[str, Any]) -> None:
    """Raises BadInputError where a part is of another type than a run writes."""
    damaged = [part for part, wanted in _PARTS.items() if not _tables(manifest, part, wanted)]
    if not isinstance(manifest.get("suite", {}), dict):
        damaged.append("suite")
    if not isinstance(manifest.get("warnings", []), list):
        damaged.append("warnings")
    if damaged:
        raise BadInputError(f"{path} is damaged: {damaged[0]!r} is not what a run writes there")


def _tables(manifest: Mapping[str, Any], part: str, wanted: Mapping[str, tuple[type, ...]]) -> bool:
    entries = manifest.get(part, [])
    return isinstance(entries, list) and all(
        isinstance(entry, dict)
        and all(
            isinstance(entry[key], types) if key in entry else key in _MAY_LACK
            for key, types in wanted.items()
        )
        for entry in entries
    )
