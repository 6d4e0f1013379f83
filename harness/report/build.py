"""Writes the three reports into a run's folder, from that folder alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.analysis import summarise
from harness.errors import BadInputError
from harness.files import write_atomically
from harness.report.page import render
from harness.report.tables import table
from harness.report.text import markdown
from harness.store import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.analysis.summary import Summary
    from harness.store import RunFolder

PAGE, TEXT, TABLE = "report.html", "report.md", "summary.csv"


def build(folder: RunFolder, summary: Summary | None = None) -> Path:
    """Writes ``report.html``, ``report.md`` and ``summary.csv``; the same run, the same bytes.

    Args:
        folder: the run.
        summary: what :func:`summary_of` said of it, if that is known already.

    Returns:
        The page's path.

    Raises:
        BadInputError: the folder cannot be read.
        InvalidRunError: the disk is full or failing.
    """
    manifest = folder.manifest()
    summary = summary or summary_of(folder)
    write_atomically(folder.path / TABLE, table(summary, "csv").encode())
    write_atomically(folder.path / TEXT, text(summary).encode())
    page = folder.path / PAGE
    write_atomically(page, render(summary, manifest).encode())
    return page


def summary_of(folder: RunFolder) -> Summary:
    """The run's summary, as tables and the terminal show it.

    Raises:
        BadInputError: the folder is damaged.
    """
    manifest = folder.manifest()
    _ensure_sound(folder.path / MANIFEST, manifest)
    return summarise(manifest, folder.trials(), folder.samples())


#: The parts of a manifest that are lists of tables, with what each table must have.
_PARTS = {
    "plan": ("trial", "device", "model", "recipe", "runtime"),
    "artifacts": ("model", "recipe", "sha256", "bytes"),
    "failures": ("model", "recipe", "reason"),
    "models": ("name",),
    "devices": ("name",),
    "runtimes": ("name",),
}


def _ensure_sound(path: Path, manifest: Mapping[str, Any]) -> None:
    for part, wanted in _PARTS.items():
        entries = manifest.get(part, [])
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and all(key in entry for key in wanted) for entry in entries
        ):
            raise BadInputError(f"{path} is damaged: {part!r} is not what a run writes there")
    if not isinstance(manifest.get("suite", {}), dict):
        raise BadInputError(f"{path} is damaged: 'suite' is not what a run writes there")


def text(summary: Summary) -> str:
    """The report in Markdown: warnings, advice, tables, findings."""
    lines = [f"# {markdown(summary.suite or 'Run')}", "", f"Run {markdown(summary.run)}", ""]
    lines += [f"> {markdown(warning)}\n>" for warning in summary.warnings]
    lines += ["", "## What to ship", ""] if summary.comparisons else []
    for comparison in summary.comparisons:
        where = f"{comparison.device} · {comparison.runtime}"
        lines += [f"**{markdown(comparison.model)}** on {markdown(where)}", ""]
        lines += [f"- {a.topic}: {markdown(a.text)}" for a in comparison.advice]
        lines.append("")
    lines += ["## Comparison", "", table(summary, "md")]
    sentences = [
        f"- {markdown(c.model)} **{markdown(v.recipe)}** ({markdown(c.device)} · "
        f"{markdown(c.runtime)}): {markdown(' '.join((*v.findings, *v.warnings)))}"
        for c in summary.comparisons
        for v in c.variants
        if v.findings or v.warnings
    ]
    if sentences:
        lines += ["## What to know of these numbers", "", *sentences]
    return "\n".join(lines).rstrip() + "\n"
