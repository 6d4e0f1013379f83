#!/usr/bin/env python3
"""Builds the app's APK by `tools/app_build/`, which needs nothing installed but Python 3.11."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "tools"))

from app_build.build import main

if __name__ == "__main__":
    sys.exit(main())
