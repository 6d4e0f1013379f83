"""How each model of phone tells its battery's current, as far as real discharges have shown it.

It is kept in the cache folder, a file a model, when a run on battery has found it out, and held
against the readings of every later run. A suite's ``battery_current`` goes before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.analysis import energy
from harness.analysis.battery import CurrentProfile
from harness.analysis.measures import trial_energy
from harness.cache import cache_folder
from harness.errors import InvalidRunError
from harness.files import write_atomically
from harness.store import RunFolder
from harness.suite import file_name


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


def learn(folder: RunFolder) -> None:
    """Keeps what a run's energy trials have shown of a phone whose model was not known.

    Trials that contradict each other teach nothing. A cache that cannot be written costs nothing
    but the knowledge.
    """
    manifest = folder.manifest()
    for device in manifest["devices"]:
        profile, counter = energy.settings(manifest, device["name"])
        path = _path(device["info"])
        if profile is not None or path is None or device["kind"] != "android":
            continue
        told = (
            trial_energy(trial, None, counter).profile
            for trial in folder.trials()
            if (trial.device, trial.kind, trial.state) == (device["name"], "energy", "valid")
        )
        found = {profile for profile in told if profile is not None}
        if len(found) == 1:
            _keep(path, found.pop(), folder.path.name)


def _keep(path: Path, profile: CurrentProfile, run: str) -> None:
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
