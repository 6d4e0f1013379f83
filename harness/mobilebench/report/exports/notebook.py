"""A run in a notebook: readable tables, with the units and the marks of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from mobilebench.analysis.rows import frame
from mobilebench.report.tables.grid import comparison_grid
from mobilebench.report.template import page

if TYPE_CHECKING:
    from typing import Self

    from mobilebench.analysis.gating import Verdict
    from mobilebench.analysis.summary import Summary


class SummaryFrame(pd.DataFrame):
    """The tidy table of a run, which a notebook shows as the report does.

    Whatever is made of it, a part of its columns for one, is a plain frame.
    """

    _metadata: ClassVar[list[str]] = ["_summary"]
    _summary: Summary

    @classmethod
    def of(cls, summary: Summary) -> Self:
        """The table of that summary."""
        table = cls(frame(summary))
        table._summary = summary
        return table

    def _repr_html_(self) -> str:
        return html(self._summary)


def html(summary: Summary, verdict: Verdict | None = None) -> str:
    """The run as a fragment of HTML: what it is, what must be read first, a table a comparison.

    Args:
        summary: of the run. Its strings are escaped, whoever wrote them.
        verdict: of its gate, if it is a gate's.
    """
    grids = [(comparison, comparison_grid(comparison)) for comparison in summary.comparisons]
    return page("notebook.html.jinja", summary=summary, verdict=verdict, grids=grids)
