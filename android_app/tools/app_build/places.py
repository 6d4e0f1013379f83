"""Where a build finds the sources, puts the APK, and keeps what it fetched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: there each build fetches for itself
    fcntl = None  # type: ignore[assignment]

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


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps other processes out: what one of them fetches, the next finds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
