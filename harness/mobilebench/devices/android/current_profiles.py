"""How each model of phone reports its battery's current, as real discharges have shown it.

Kept in the cache folder, a file a model. A suite's ``battery_current`` goes before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mobilebench.cache import cache_folder
from mobilebench.errors import InvalidRunError
from mobilebench.files import write_atomically
from mobilebench.records.battery_current import CurrentProfile
from mobilebench.text import file_name


def known(info: Mapping[str, Any]) -> CurrentProfile | None:
    """The profile that was kept for a phone's model; None if there is none, or it is damaged.

    Args:
        info: what the phone says of itself: ``manufacturer``, ``model``.
    """
    path = _path(info)
    try:
        document = json.loads(path.read_text("utf-8")) if path else {}
    except (OSError, ValueError):
        return None
    return CurrentProfile.read(document) if isinstance(document, dict) else None


def keep(info: Mapping[str, Any], profile: CurrentProfile, run: str) -> None:
    """Keeps a profile for a phone's model; a cache that cannot be written costs nothing else.

    Args:
        info: what the phone reports of itself: ``manufacturer``, ``model``.
        profile: what was found.
        run: the run that showed it.
    """
    path = _path(info)
    if path is None:
        return
    document = {**asdict(profile), "run": run}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())
    except (OSError, InvalidRunError):
        return


def _path(info: Mapping[str, Any]) -> Path | None:
    model = str(info.get("model") or "")
    if not model:
        return None
    name = file_name(f"{info.get('manufacturer', '')} {model}")
    return cache_folder() / "battery" / f"{name}.json"
