"""Writes the three reports into a run's folder, from that folder alone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from mobilebench.errors import BadInputError, InvalidRunError
from mobilebench.files import write_atomically
from mobilebench.report.exports.gate import github
from mobilebench.report.page.render import render
from mobilebench.report.tables.formats import table
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import MANIFEST, PAGE, TABLE, TEXT, RunFolder
from mobilebench.text import joined, markdown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mobilebench.analysis.summary import Summary
    from mobilebench.runs.history import Series
    from mobilebench.runs.verdict import GateResult
    from mobilebench.store.folder import RunFolder


def build(
    folder: RunFolder,
    summary: Summary | None = None,
    *,
    verdict: GateResult | None = None,
    histories: Sequence[Series] = (),
) -> Path:
    """Writes ``report.html``, ``report.md`` and ``summary.csv``; the same run, the same bytes.

    Args:
        folder: the run.
        summary: what ``summary_of`` said of it, if that is known already.
        verdict: what the gate says, if the run is a gate's.
        histories: the run's variants over the runs before it.

    Returns:
        The page's path.

    Raises:
        BadInputError: the folder cannot be read.
        InvalidRunError: the disk is full or failing.
    """
    run = folder.run()
    summary = summary or summary_of(folder)
    write_atomically(folder.path / TABLE, table(summary, "csv").encode())
    said = f"{github(verdict)}\n{text(summary)}" if verdict else text(summary)
    write_atomically(folder.path / TEXT, said.encode())
    page = folder.path / PAGE
    write_atomically(page, render(summary, run, verdict, histories, folder.profiles()).encode())
    return page


def text(summary: Summary) -> str:
    """The report in Markdown: warnings, advice, tables, findings."""
    lines = [f"# {markdown(summary.suite or 'Run')}", "", f"Run {markdown(summary.run)}", ""]
    lines += [f"> {markdown(said)}\n>" for said in (*summary.disturbed, *summary.warnings)]
    lines += ["", "## What to ship", ""] if summary.comparisons else []
    for comparison in summary.comparisons:
        where = f"{comparison.device} · {comparison.runtime_label}"
        lines += [f"**{markdown(comparison.subject)}** on {markdown(where)}", ""]
        lines += [f"- {a.topic}: {markdown(a.text)}" for a in comparison.advice]
        lines.append("")
    lines += ["## Comparison", "", table(summary, "md")]
    sentences = [
        f"- {markdown(c.model)} **{markdown(v.recipe)}** ({markdown(c.device)} · "
        f"{markdown(c.runtime_label)}): {markdown(joined((*v.findings, *v.warnings)))}"
        for c in summary.comparisons
        for v in c.variants
        if v.findings or v.warnings
    ]
    if sentences:
        lines += ["## Notes on these numbers", "", *sentences]
    return "\n".join(lines).rstrip() + "\n"


def build_gate(result: GateResult) -> None:
    """Writes the reports of a gate's run, verdict first; nothing where nothing was measured.

    Raises:
        BadInputError: the folder cannot be read.
        InvalidRunError: the disk is full or failing.
    """
    if not (result.folder / MANIFEST).is_file():
        return
    # What made a gate invalid may keep its report from being written, too; the verdict stands.
    allowed = (BadInputError, InvalidRunError) if result.invalid else ()
    with contextlib.suppress(*allowed):
        build(RunFolder.open(result.folder), verdict=result)
