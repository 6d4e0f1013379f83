#!/usr/bin/env python3
"""Builds the app's APK; see `harness/app/build.py`, which needs nothing installed but itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.app.build import main

if __name__ == "__main__":
    sys.exit(main())
