"""Tables, plots, and one self-contained HTML page."""

from harness.report.build import build, summary_of
from harness.report.document import document
from harness.report.frame import frame
from harness.report.tables import table
from harness.report.terminal_table import terminal

__all__ = ["build", "document", "frame", "summary_of", "table", "terminal"]
