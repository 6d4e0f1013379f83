"""Where a build finds the sources, puts the APK, and keeps what it fetched."""

from __future__ import annotations

import os
from pathlib import Path

#: The folder ``android_app`` of this checkout.
SOURCES = Path(__file__).resolve().parents[2]

#: From here the APK travels in the Python package.
SHIPPED = SOURCES.parent / "harness/mobilebench/devices/android/apk/mobilebench-agent.apk"


def cache() -> Path:
    """Where fetched parts are kept between builds: ``MOBILEBENCH_TOOLS``, or the user's cache."""
    chosen = os.environ.get("MOBILEBENCH_TOOLS")
    if chosen:
        return Path(chosen)
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "mobilebench-tools"
