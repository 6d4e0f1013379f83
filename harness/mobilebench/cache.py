"""Where what can be made anew is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Where artifacts are kept between runs: ``MOBILEBENCH_CACHE``, or the user's cache."""
    chosen = os.environ.get("MOBILEBENCH_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("mobilebench")
