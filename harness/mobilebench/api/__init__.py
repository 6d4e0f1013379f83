"""What ``import mobilebench`` offers: functions that neither print nor exit.

Importing it costs nothing but the standard library: what a function needs is imported when it is
called.
"""

from mobilebench.api.handle import Run
from mobilebench.api.measure import (
    Calibration,
    calibrate,
    devices,
    gate,
    load_suite,
    open_run,
    run,
)
from mobilebench.api.models import compress, inspect
from mobilebench.api.progress import Progress
from mobilebench.api.searching import Compressor, measure, search
from mobilebench.api.stored import compare, history

__all__ = [
    "Calibration",
    "Compressor",
    "Progress",
    "Run",
    "calibrate",
    "compare",
    "compress",
    "devices",
    "gate",
    "history",
    "inspect",
    "load_suite",
    "measure",
    "open_run",
    "run",
    "search",
]
