"""Tables, plots, and one self-contained HTML page."""

from harness.report.build import build, summary_of
from harness.report.document import document
from harness.report.tables import frame, table, terminal

__all__ = ["build", "document", "frame", "summary_of", "table", "terminal"]
