"""Tables, plots, and one self-contained HTML page."""

from mobilebench.analysis.rows import frame
from mobilebench.report.exports.document import document
from mobilebench.report.tables.formats import table
from mobilebench.report.tables.terminal import terminal
from mobilebench.report.write import build

__all__ = ["build", "document", "frame", "table", "terminal"]
