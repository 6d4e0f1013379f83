"""A gate's verdict for those who wait for it: JUnit XML, a Markdown summary, JSON, a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis import units
from harness.analysis.gating import Verdict
from harness.report.text import markdown, plain

if TYPE_CHECKING:
    from harness.analysis.verdicts import Comparison, Finding
    from harness.gate import GateResult

_COLUMNS = ("metric", "verdict", "baseline", "candidate", "change", "interval", "margin", "p")
_STYLES = {"PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow", "INVALID": "red"}
_MARKS = {"PASS": "✅", "FAIL": "❌", "INCONCLUSIVE": "❔", "INVALID": "⚠️"}
_MISSING = "—"
_NOT_JUDGED = "not judged"


def headline(result: GateResult) -> str:
    """The verdict in one line, with whatever did not pass."""
    if result.invalid:
        return f"{result.verdict}: {plain(result.invalid)}"
    said = [
        _sentence(finding)
        for comparison in result.comparisons
        for finding in comparison.findings
        if finding.verdict == result.verdict
        and (result.verdict != Verdict.PASS or finding.p_pass is not None)
    ]
    more = f"; and {len(said) - 2} more" if len(said) > 2 else ""
    return f"{result.verdict}: {'; '.join(said[:2])}{more}" if said else str(result.verdict)


def summary(result: GateResult) -> str:
    """All findings, a line each, in plain text."""
    lines = [f"! {said}" for said in result.disturbed]
    lines += [headline(result)] if result.invalid else []
    for comparison in result.comparisons:
        lines.append(f"{comparison.verdict}  {title(comparison)}")
        lines += [f"  {f.verdict or _NOT_JUDGED:<13}{_sentence(f)}" for f in comparison.findings]
    lines += [f"! {warning}" for warning in result.warnings]
    if result.folder.is_dir():
        lines.append(f"run: {result.folder}")
    return "\n".join(lines)


def document(result: GateResult) -> dict[str, Any]:
    """The verdict as plain values.

    Effects and margins are shares of the baseline (``ratio``), differences of shares (``points``)
    or of nodes; ``p_fail`` and ``p_pass`` are null where nothing was tested, and so is ``folder``
    where nothing was measured.
    """
    return {
        "verdict": result.verdict,
        "exit_code": result.exit_code,
        "invalid": result.invalid,
        "run": result.run,
        "folder": str(result.folder) if result.folder.is_dir() else None,
        "looks": [asdict(look) for look in result.looks],
        "comparisons": [
            {
                **{
                    key: getattr(c, key)
                    for key in ("model", "device", "runtime", "baseline", "candidate", "verdict")
                },
                "metrics": [_finding(f) for f in c.findings],
            }
            for c in result.comparisons
        ],
        "warnings": [*result.disturbed, *result.warnings],
    }


def junit(result: GateResult) -> str:
    """JUnit XML: a suite a comparison, a case a metric.

    FAIL and INCONCLUSIVE are failures, INVALID is an error, a metric that is not judged is
    skipped; what passed tells its numbers as the case's output, and a suite what must not be read
    into it.
    """
    root = ElementTree.Element("testsuites", name="mobilebench gate")
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for comparison in result.comparisons:
        suite = ElementTree.SubElement(root, "testsuite", name=plain(title(comparison)))
        counts = dict.fromkeys(totals, 0)
        for finding in comparison.findings:
            case = ElementTree.SubElement(
                suite, "testcase", classname=plain(title(comparison)), name=finding.metric
            )
            counts["tests"] += 1
            said = plain(_sentence(finding))
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
        if said := "\n".join(map(plain, (*result.disturbed, *result.warnings))):
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


def github(result: GateResult) -> str:
    """A summary in GitHub's Markdown: the verdict, then a table for each comparison."""
    lines = [f"## {_MARKS[result.verdict]} {result.verdict}: mobilebench gate", ""]
    lines += [f"> **{markdown(said)}**\n" for said in result.disturbed]
    if result.invalid:
        lines += [markdown(result.invalid), ""]
    for comparison in result.comparisons:
        lines += [f"### {_MARKS[comparison.verdict]} {markdown(title(comparison))}", ""]
        lines += ["| " + " | ".join(_COLUMNS) + " |", "|" + " --- |" * len(_COLUMNS)]
        lines += [
            "| " + " | ".join(markdown(cell) for cell in row(finding)) + " |"
            for finding in comparison.findings
        ]
        notes = [f"- {f.metric}: {markdown(f.reason)}" for f in comparison.findings if f.reason]
        lines += ["", *notes, ""] if notes else [""]
    lines += [f"> {markdown(warning)}\n>" for warning in result.warnings]
    lines += ["", f"Run `{plain(result.run)}`. A change is the candidate's against the baseline."]
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
        for column in _COLUMNS:
            right = column not in ("metric", "verdict")
            table.add_column(column, justify="right" if right else "left", no_wrap=True)
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
    why = f": {plain(result.invalid)}" if result.invalid else ""
    parts += [Text(), Text.assemble((str(result.verdict), _STYLES[result.verdict]), why)]
    return Group(*parts)


def title(comparison: Comparison) -> str:
    """What is compared with what, and where."""
    return (
        f"{comparison.model}: {comparison.candidate} against {comparison.baseline} "
        f"on {comparison.device} · {comparison.runtime}"
    )


def row(finding: Finding) -> tuple[str, ...]:
    """A finding as texts, in the order of the columns."""
    return (
        finding.metric,
        str(finding.verdict or _NOT_JUDGED),
        _own(finding, finding.baseline),
        _own(finding, finding.candidate),
        _change(finding),
        _interval(finding) or _MISSING,
        _margin(finding),
        _p(finding) or _MISSING,
    )


def _sentence(finding: Finding) -> str:
    if finding.effect.value is None:
        return f"{finding.metric} {finding.reason}"
    return f"{finding.metric} {_change(finding)} ({', '.join(_circumstances(finding))})"


def _circumstances(finding: Finding) -> Iterator[str]:
    interval = _interval(finding)
    if interval:
        yield f"interval {interval}"
    yield f"margin {_margin(finding)}"
    p = _p(finding)
    if p:
        yield f"p {p}"
        yield f"{finding.blocks} blocks"


def _own(finding: Finding, value: float | None) -> str:
    if value is None:
        return _MISSING
    if finding.metric == "latency":
        return units.duration(value)
    if finding.metric == "energy":
        return units.energy(value)
    if finding.metric in ("memory", "size", "download"):
        return units.size(value)
    return units.percent(value) if finding.metric == "accuracy" else f"{value:g} left"


def _change(finding: Finding) -> str:
    value = finding.effect.value
    return _MISSING if value is None else f"{_number(finding, value)}{_unit(finding, value)}"


def _interval(finding: Finding) -> str:
    interval = finding.effect.interval
    if interval is None:
        return ""
    low, high = (_number(finding, value) for value in (interval.low, interval.high))
    return f"{low} to {high}{_unit(finding)}"


def _margin(finding: Finding) -> str:
    margin = finding.margin if finding.scale == "nodes" else 100 * finding.margin
    return f"{margin:.3g}{_unit(finding, margin)}"


def _number(finding: Finding, value: float) -> str:
    if finding.scale == "nodes":
        text = f"{value:+g}"
    else:
        text = f"{100 * value:+.1f}" if abs(value) < 10 else f"{100 * value:+.0f}"
    return units.true_minus(text if float(text) else text.lstrip("+-"))


def _unit(finding: Finding, shown: float = 0) -> str:
    unit = {"ratio": " %", "points": " points", "nodes": " nodes"}[finding.scale]
    return unit.removesuffix("s") if abs(shown) == 1 else unit


def _p(finding: Finding) -> str:
    if finding.p_fail is None or finding.p_pass is None or not finding.blocks:
        return ""
    p = finding.p_pass if finding.verdict == Verdict.PASS else finding.p_fail
    if finding.verdict == Verdict.INCONCLUSIVE:
        return f"{finding.p_fail:.2g} fail, {finding.p_pass:.2g} pass"
    return f"{p:.2g}"


def _finding(finding: Finding) -> dict[str, Any]:
    effect = finding.effect
    return {
        "metric": finding.metric,
        "verdict": finding.verdict,
        "scale": finding.scale,
        "baseline": finding.baseline,
        "candidate": finding.candidate,
        "effect": effect.value,
        "interval": effect.interval and asdict(effect.interval),
        "margin": finding.margin,
        "noise": finding.noise,
        "p_fail": finding.p_fail,
        "p_pass": finding.p_pass,
        "blocks": finding.blocks,
        "reason": finding.reason,
    }
