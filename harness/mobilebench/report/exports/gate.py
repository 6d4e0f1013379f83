"""A gate's verdict for those who wait for it: JUnit XML, a Markdown summary, JSON, a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilebench.analysis.gating import Verdict
from mobilebench.runs.verdict import (
    COLUMNS,
    NOT_JUDGED,
    headline,
    name,
    row,
    scope,
    sentence,
    title,
)
from mobilebench.text import markdown, plain

if TYPE_CHECKING:
    from mobilebench.runs.verdict import GateResult

_STYLES = {"PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow", "INVALID": "red"}
_WIDEST_VERDICT = max(map(len, _STYLES))
_MARKS = {"PASS": "✅", "FAIL": "❌", "INCONCLUSIVE": "❔", "INVALID": "⚠️"}


def summary(result: GateResult) -> str:
    """All findings, a line each, in plain text."""
    lines = [f"! {said}" for said in result.disturbed]
    lines += [headline(result)] if result.invalid else []
    if result.speed_only and not result.invalid:
        lines.append(scope(result).strip())
    for comparison in result.comparisons:
        lines.append(f"{comparison.verdict}  {title(comparison)}")
        lines += [f"  {f.verdict or NOT_JUDGED:<13}{sentence(f)}" for f in comparison.findings]
    lines += [f"! {warning}" for warning in result.warnings]
    if result.folder.is_dir():
        lines.append(f"run: {result.folder}")
    return "\n".join(lines)


def junit(result: GateResult) -> str:
    """JUnit XML: a suite a comparison, a case a metric.

    FAIL and INCONCLUSIVE are failures, INVALID is an error, a metric that is not judged is
    skipped; what passed has its numbers as the case's output, and a suite what must not be read
    into it. Names stay the same when the library is another one, which is a suite's property.
    """
    only = " (speed and size only)" if result.speed_only else ""
    root = ElementTree.Element("testsuites", name=f"mobilebench gate{only}")
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for comparison in result.comparisons:
        suite = ElementTree.SubElement(root, "testsuite", name=plain(name(comparison)))
        _properties(suite, library=comparison.library)
        counts = dict.fromkeys(totals, 0)
        for finding in comparison.findings:
            case = ElementTree.SubElement(
                suite, "testcase", classname=plain(name(comparison)), name=finding.metric
            )
            counts["tests"] += 1
            said = plain(sentence(finding))
            if finding.verdict is None:
                ElementTree.SubElement(case, "skipped", message=said)
                counts["skipped"] += 1
            elif finding.verdict == Verdict.PASS:
                ElementTree.SubElement(case, "system-out").text = said
            else:
                invalid = finding.verdict == Verdict.INVALID
                element = ElementTree.SubElement(
                    case, "error" if invalid else "failure", type=str(finding.verdict), message=said
                )
                element.text = said
                counts["errors" if invalid else "failures"] += 1
        heads = (scope(result).strip(),) if result.speed_only else ()
        if said := "\n".join(map(plain, (*heads, *result.disturbed, *result.warnings))):
            ElementTree.SubElement(suite, "system-out").text = said
        for key, count in counts.items():
            suite.set(key, str(count))
            totals[key] += count
    if result.invalid:
        suite = ElementTree.SubElement(root, "testsuite", name="gate", tests="1", errors="1")
        case = ElementTree.SubElement(suite, "testcase", classname="gate", name="run")
        ElementTree.SubElement(case, "error", type="INVALID", message=plain(result.invalid))
        totals["tests"] += 1
        totals["errors"] += 1
    for key, count in totals.items():
        root.set(key, str(count))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _properties(suite: ElementTree.Element, **values: str) -> None:
    """What is known of a suite beside its cases; nothing that is empty."""
    if known := {key: value for key, value in values.items() if value}:
        properties = ElementTree.SubElement(suite, "properties")
        for key, value in known.items():
            ElementTree.SubElement(properties, "property", name=key, value=plain(value))


def github(result: GateResult) -> str:
    """A summary in GitHub's Markdown: the verdict, then a table for each comparison."""
    only = " (speed and size only)" if result.speed_only else ""
    lines = [f"## {_MARKS[result.verdict]} {result.verdict}{only}: mobilebench gate", ""]
    lines += [f"> **{markdown(said)}**\n" for said in result.disturbed]
    if result.invalid:
        lines += [markdown(result.invalid), ""]
    for comparison in result.comparisons:
        lines += [f"### {_MARKS[comparison.verdict]} {markdown(title(comparison))}", ""]
        lines += ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
        lines += [
            "| " + " | ".join(markdown(cell) for cell in row(finding)) + " |"
            for finding in comparison.findings
        ]
        notes = [f"- {f.metric}: {markdown(f.reason)}" for f in comparison.findings if f.reason]
        lines += ["", *notes, ""] if notes else [""]
    lines += [f"> {markdown(warning)}\n>" for warning in result.warnings]
    lines += ["", f"Run {markdown(result.run)}. A change is the candidate's against the baseline."]
    return "\n".join(lines) + "\n"


def terminal(result: GateResult) -> RenderableType:
    """The verdict for a terminal of 100 columns."""
    parts: list[RenderableType] = [
        Text.assemble(("! ", "bold yellow"), plain(said)) for said in result.disturbed
    ]
    for comparison in result.comparisons:
        table = Table(
            title=Text(plain(title(comparison)), style="bold"),
            title_justify="left",
            box=None,
            pad_edge=False,
            header_style="dim",
        )
        for column in COLUMNS:
            # Where room is short, a number's interval goes on in the next line; none is cut.
            whole = column in ("metric", "verdict")
            table.add_column(
                column,
                justify="left" if whole else "right",
                no_wrap=whole,
                min_width=_WIDEST_VERDICT if column == "verdict" else None,
                overflow="fold",
            )
        for finding in comparison.findings:
            style = _STYLES.get(finding.verdict or "", "dim")
            first, verdict, *rest = row(finding)
            table.add_row(first, Text(verdict, style=style), *rest)
        notes = [
            Text.assemble((f"{f.metric}: ", "dim"), plain(f.reason))
            for f in comparison.findings
            if f.reason
        ]
        parts += [Text(), table, *notes]
    parts += [Text.assemble(("! ", "yellow"), plain(warning)) for warning in result.warnings]
    only = " (speed and size only)" if result.speed_only else ""
    why = f"{only}: {plain(result.invalid)}" if result.invalid else only
    parts += [Text(), Text.assemble((str(result.verdict), _STYLES[result.verdict]), why)]
    return Group(*parts)
