"""Writes the three reports into a run's folder, from that folder alone."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any

from harness.analysis import summarise
from harness.errors import BadInputError
from harness.files import write_atomically
from harness.report.gate_outputs import github
from harness.report.page import render
from harness.report.tables import table
from harness.report.text import markdown
from harness.store import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.analysis.summary import Summary
    from harness.gate import GateResult
    from harness.history import Series
    from harness.store import RunFolder

PAGE, TEXT, TABLE = "report.html", "report.md", "summary.csv"


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
        summary: what :func:`summary_of` said of it, if that is known already.
        verdict: what the gate says, if the run is a gate's.
        histories: the run's variants over the runs before it.

    Returns:
        The page's path.

    Raises:
        BadInputError: the folder cannot be read.
        InvalidRunError: the disk is full or failing.
    """
    manifest = folder.manifest()
    summary = summary or summary_of(folder)
    write_atomically(folder.path / TABLE, table(summary, "csv").encode())
    said = f"{github(verdict)}\n{text(summary)}" if verdict else text(summary)
    write_atomically(folder.path / TEXT, said.encode())
    page = folder.path / PAGE
    write_atomically(page, render(summary, manifest, verdict, histories).encode())
    return page


def summary_of(folder: RunFolder) -> Summary:
    """The run's summary, as tables and the terminal show it.

    Raises:
        BadInputError: the folder is damaged.
    """
    manifest = folder.manifest()
    _ensure_sound(folder.path / MANIFEST, manifest)
    try:
        return summarise(manifest, folder.trials(), folder.timings())
    # What an agent told of a trial has no fixed form, so its types are not checked beforehand.
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise BadInputError(
            f"{folder.path} is damaged: its trials are not as a run writes them ({error})"
        ) from error


#: The parts of a manifest that are lists of tables, and what stands in each table.
_PARTS: dict[str, dict[str, tuple[type, ...]]] = {
    "plan": {"trial": (str,), "device": (str,), "model": (str,), "recipe": (str,),
             "runtime": (str,)},
    "artifacts": {"model": (str,), "recipe": (str,), "sha256": (str,), "bytes": (int,),
                  "gzip_bytes": (int, NoneType), "zstd_bytes": (int, NoneType),
                  "xz_bytes": (int, NoneType), "dataset": (dict, NoneType), "warnings": (list,)},
    "failures": {"model": (str,), "recipe": (str,), "reason": (str,)},
    "models": {"name": (str,), "baseline": (str,)},
    "devices": {"name": (str,)},
    "runtimes": {"name": (str,)},
}  # fmt: skip
#: What an older or an interrupted run may not have.
_MAY_LACK = {"gzip_bytes", "zstd_bytes", "xz_bytes", "dataset", "warnings", "baseline"}


def _ensure_sound(path: Path, manifest: Mapping[str, Any]) -> None:
    """Raises BadInputError where a part is of another type than a run writes."""
    damaged = [part for part, wanted in _PARTS.items() if not _tables(manifest, part, wanted)]
    if not isinstance(manifest.get("suite", {}), dict):
        damaged.append("suite")
    if not isinstance(manifest.get("warnings", []), list):
        damaged.append("warnings")
    if damaged:
        raise BadInputError(f"{path} is damaged: {damaged[0]!r} is not what a run writes there")


def _tables(manifest: Mapping[str, Any], part: str, wanted: Mapping[str, tuple[type, ...]]) -> bool:
    entries = manifest.get(part, [])
    return isinstance(entries, list) and all(
        isinstance(entry, dict)
        and all(
            isinstance(entry[key], types) if key in entry else key in _MAY_LACK
            for key, types in wanted.items()
        )
        for entry in entries
    )


def text(summary: Summary) -> str:
    """The report in Markdown: warnings, advice, tables, findings."""
    lines = [f"# {markdown(summary.suite or 'Run')}", "", f"Run {markdown(summary.run)}", ""]
    lines += [f"> {markdown(said)}\n>" for said in (*summary.disturbed, *summary.warnings)]
    lines += ["", "## What to ship", ""] if summary.comparisons else []
    for comparison in summary.comparisons:
        where = f"{comparison.device} · {comparison.runtime_label}"
        lines += [f"**{markdown(comparison.model)}** on {markdown(where)}", ""]
        lines += [f"- {a.topic}: {markdown(a.text)}" for a in comparison.advice]
        lines.append("")
    lines += ["## Comparison", "", table(summary, "md")]
    sentences = [
        f"- {markdown(c.model)} **{markdown(v.recipe)}** ({markdown(c.device)} · "
        f"{markdown(c.runtime_label)}): {markdown(' '.join((*v.findings, *v.warnings)))}"
        for c in summary.comparisons
        for v in c.variants
        if v.findings or v.warnings
    ]
    if sentences:
        lines += ["## What to know of these numbers", "", *sentences]
    return "\n".join(lines).rstrip() + "\n"
