"""Tables, plots, and one self-contained HTML page.

What draws and computes is imported when it is first used: ``mobilebench history`` needs little.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mobilebench.analysis.rows import frame
    from mobilebench.report.exports.document import document
    from mobilebench.report.tables.formats import table
    from mobilebench.report.tables.terminal import terminal
    from mobilebench.report.write import build

__all__ = ["build", "document", "frame", "table", "terminal"]

_WHERE = {
    "build": "mobilebench.report.write",
    "document": "mobilebench.report.exports.document",
    "frame": "mobilebench.analysis.rows",
    "table": "mobilebench.report.tables.formats",
    "terminal": "mobilebench.report.tables.terminal",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
