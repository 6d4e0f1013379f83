"""Tables, plots, and one self-contained HTML page."""

from harness.report.build import build, summary_of
from harness.report.tables import frame, table, terminal

__all__ = ["build", "frame", "summary_of", "table", "terminal"]
