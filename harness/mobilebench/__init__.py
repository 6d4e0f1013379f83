"""MobileBench: compress models, measure them on devices, judge and report.

The host controller as a library. Every function here neither prints nor exits; what goes wrong is
a ``MobileBenchError`` that says in one sentence what was wrong, where, and what to do.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

# Some functions have the name of a sub-package, and importing a sub-package for the first time
# binds its name here. So those sub-packages, which are empty, are imported first, and the functions
# are bound over them for good: ``from mobilebench.compress.recipe import …`` finds the sub-package
# whenever it is imported. (``import mobilebench.compress.recipe as …`` would find the function.)
for _name in ("mobilebench.compress", "mobilebench.devices", "mobilebench.search"):
    _import_module(_name)

# ruff: noqa: E402
from mobilebench.api import (
    Calibration,
    Compressor,
    Progress,
    Run,
    calibrate,
    compare,
    compress,
    devices,
    gate,
    history,
    inspect,
    load_suite,
    measure,
    open_run,
    run,
    search,
)
from mobilebench.errors import (
    BadInputError,
    InterruptedRunError,
    InvalidRunError,
    MobileBenchError,
)
from mobilebench.version import __version__

if _TYPE_CHECKING:
    from mobilebench.analysis.gating import Verdict
    from mobilebench.analysis.summary import Summary
    from mobilebench.compress.artifact import Artifact, Failure
    from mobilebench.devices.spec import DeviceSpec
    from mobilebench.runs.calibrate import Noise
    from mobilebench.runs.compare import StoredComparison
    from mobilebench.runs.history import History
    from mobilebench.runs.measure_many import Measured
    from mobilebench.runs.selection import FoundDevices
    from mobilebench.runs.verdict import GateResult
    from mobilebench.suite.policy import Policy
    from mobilebench.suite.schema import Suite
    from mobilebench.tflite.inspect.layers import ModelFacts

__all__ = [
    "Artifact",
    "BadInputError",
    "Calibration",
    "Compressor",
    "DeviceSpec",
    "Failure",
    "FoundDevices",
    "GateResult",
    "History",
    "InterruptedRunError",
    "InvalidRunError",
    "Measured",
    "MobileBenchError",
    "ModelFacts",
    "Noise",
    "Policy",
    "Progress",
    "Run",
    "StoredComparison",
    "Suite",
    "Summary",
    "Verdict",
    "__version__",
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

#: Types of results, and the modules that have them: these import NumPy and more.
_TYPES = {
    "Artifact": "mobilebench.compress.artifact",
    "DeviceSpec": "mobilebench.devices.spec",
    "Failure": "mobilebench.compress.artifact",
    "FoundDevices": "mobilebench.runs.selection",
    "GateResult": "mobilebench.runs.verdict",
    "History": "mobilebench.runs.history",
    "Measured": "mobilebench.runs.measure_many",
    "ModelFacts": "mobilebench.tflite.inspect.layers",
    "Noise": "mobilebench.runs.calibrate",
    "Policy": "mobilebench.suite.policy",
    "StoredComparison": "mobilebench.runs.compare",
    "Suite": "mobilebench.suite.schema",
    "Summary": "mobilebench.analysis.summary",
    "Verdict": "mobilebench.analysis.gating",
}


def __getattr__(name: str) -> object:
    if name not in _TYPES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(_import_module(_TYPES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
