"""What a gate says: its result, in a line, as cells of a table, and as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from mobilebench import crash
from mobilebench.analysis import gating, units
from mobilebench.analysis.gate_finding import Finding
from mobilebench.analysis.gating import Verdict
from mobilebench.analysis.verdicts import Comparison
from mobilebench.metrics import registry
from mobilebench.records.gate import Look
from mobilebench.text import plain

#: Where a gate's folder keeps what was said last.
VERDICT = "gate.json"


#: The exit code of each verdict.
EXIT_CODES = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 3, Verdict.INVALID: 4}


@dataclass(frozen=True)
class GateResult:
    """What a gate says, and where its run is.

    Attributes:
        run: its name.
        folder: its results folder; there is none where nothing was measured.
        comparisons: each candidate against its baseline, metric by metric.
        looks: after how many blocks a verdict may be given, and with what error.
        warnings: what must not be read into it.
        invalid: why there is no verdict at all: other inputs or outputs, the device unfit or lost,
            the disk full.
        fault: whether that is an unexpected exception of MobileBench itself.
        disturbed: what must be read first: others' load disturbed the latency.
        speed_only: whether time and size are all that was asked: nothing is said of the answers.
    """

    run: str
    folder: Path
    comparisons: tuple[Comparison, ...]
    looks: tuple[Look, ...]
    warnings: tuple[str, ...] = ()
    invalid: str = ""
    fault: bool = False
    disturbed: tuple[str, ...] = ()
    speed_only: bool = False

    @property
    def verdict(self) -> Verdict:
        """The worst of all comparisons; INVALID where the gate did not come to its end."""
        if self.invalid:
            return Verdict.INVALID
        return gating.worst([comparison.verdict for comparison in self.comparisons])

    @property
    def passed(self) -> bool:
        """Whether the verdict is PASS: an INCONCLUSIVE one is none."""
        return self.verdict == Verdict.PASS

    @property
    def exit_code(self) -> int:
        """0 PASS, 1 FAIL, 3 INCONCLUSIVE, 4 INVALID, 70 a fault of MobileBench itself."""
        return crash.EXIT_CODE if self.fault else EXIT_CODES[self.verdict]

    def __repr__(self) -> str:
        """Short, because an assertion that fails shows it."""
        return f"<{headline(self)}>"

    def _repr_html_(self) -> str:
        """The verdict for a notebook: a table for each comparison, and the warnings."""
        head = f"{scope(self)}{plain(self.invalid)}"
        said = [f"<p><b>{escape(str(self.verdict))}</b> {escape(head)}</p>"]
        said += [f"<p><b>{escape(plain(text))}</b></p>" for text in self.disturbed]
        for comparison in self.comparisons:
            heads = "".join(f"<th>{name}</th>" for name in COLUMNS)
            said.append(f"<h4>{escape(plain(title(comparison)))}</h4><table><tr>{heads}</tr>")
            for finding in comparison.findings:
                cells = "".join(f"<td>{escape(plain(cell))}</td>" for cell in row(finding))
                said.append(f'<tr title="{escape(plain(finding.reason))}">{cells}</tr>')
            said.append("</table>")
        said += [f"<p>{escape(plain(text))}</p>" for text in self.warnings]
        return "\n".join(said)


_MISSING = "—"

#: The headings of ``row``.
COLUMNS = ("metric", "verdict", "baseline", "candidate", "change", "interval", "margin", "p")

NOT_JUDGED = "not judged"


def scope(result: GateResult) -> str:
    """What a headline says before all else of a gate that looked at no answers."""
    return "Speed and size only, answers not judged. " if result.speed_only else ""


def headline(result: GateResult) -> str:
    """The verdict in one line, with whatever did not pass."""
    verdict = f"{result.verdict}{' (speed and size only)' if result.speed_only else ''}"
    if result.invalid:
        return f"{verdict}: {plain(result.invalid)}"
    said = [
        sentence(finding)
        for comparison in result.comparisons
        for finding in comparison.findings
        if finding.verdict == result.verdict
        and (result.verdict != Verdict.PASS or finding.p_pass is not None)
        and not (finding.verdict == Verdict.PASS and finding.effect.value is None)
    ]
    more = f"; and {len(said) - 2} more" if len(said) > 2 else ""
    return f"{verdict}: {'; '.join(said[:2])}{more}" if said else verdict


def document(result: GateResult) -> dict[str, Any]:
    """The verdict as plain values.

    Effects and margins are shares of the baseline (``ratio``), differences of shares (``points``)
    or of what the metric counts; ``p_fail`` and ``p_pass`` are null where nothing was tested, and
    so is ``folder`` where nothing was measured.
    """
    return {
        "verdict": result.verdict,
        "exit_code": result.exit_code,
        "invalid": result.invalid,
        **({"speed_only": True} if result.speed_only else {}),
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


def name(comparison: Comparison) -> str:
    """What is compared with what, and where: the same whatever version of a library ran it."""
    return (
        f"{comparison.model}: {comparison.candidate} against {comparison.baseline} "
        f"on {comparison.device} · {comparison.runtime}"
    )


def title(comparison: Comparison) -> str:
    """The name, and the library that ran both."""
    library = f" ({comparison.library})" if comparison.library else ""
    return f"{name(comparison)}{library}"


def row(finding: Finding) -> tuple[str, ...]:
    """A finding as texts, in the order of the columns."""
    return (
        finding.metric,
        str(finding.verdict or NOT_JUDGED),
        _own(finding, finding.baseline),
        _own(finding, finding.candidate),
        _change(finding),
        _interval(finding) or _MISSING,
        _margin(finding),
        _p(finding) or _MISSING,
    )


def sentence(finding: Finding) -> str:
    """A finding in one line of plain text."""
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
    metric = registry()[finding.metric]
    number = units.shown(metric.unit, value)
    return f"{number}{_noun(metric.noun, value)}" if metric.unit == "count" else number


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
    if not registry()[finding.metric].judged:
        return _MISSING  # its limits are no change's: the reason has them
    margin = finding.margin if _counts(finding) else 100 * finding.margin
    return f"{margin:.3g}{_unit(finding, margin)}"


def _counts(finding: Finding) -> bool:
    """Whether its effect is a number of something, and no share."""
    return finding.scale not in ("ratio", "points")


def _number(finding: Finding, value: float) -> str:
    if finding.scale == "dB":
        text = f"{value:+.1f}"
    elif finding.scale == "value":
        text = f"{value:+.4g}"
    elif _counts(finding):
        text = f"{value:+g}"
    else:
        text = f"{100 * value:+.1f}" if abs(value) < 10 else f"{100 * value:+.0f}"
    return units.true_minus(text if float(text) else text.lstrip("+-"))


def _unit(finding: Finding, shown: float = 0) -> str:
    if finding.scale in ("ratio", "dB", "value"):
        return {"ratio": " %", "dB": " dB", "value": ""}[finding.scale]
    return _noun(registry()[finding.metric].noun if _counts(finding) else "points", shown)


def _noun(plural: str, number: float) -> str:
    """What is counted, with a space before it; empty if that has no name."""
    noun = f" {plural}" if plural else ""
    return noun.removesuffix("s") if abs(number) == 1 else noun


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
