"""The report in Markdown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mobilebench.analysis.summary import Remark
from mobilebench.report.write import text
from mobilebench.runs.summaries import summary_of
from mobilebench.store.folder import RunFolder
from mobilebench.text import joined


@pytest.mark.parametrize(
    ("sentences", "one"),
    [
        (
            ("at its end thermal status 2", "It throttles."),
            "at its end thermal status 2. It throttles.",
        ),
        (("Really?", " ", "yes"), "Really? yes."),
        ((), ""),
    ],
)
def test_sentences_are_joined_by_full_stops(sentences: tuple[str, ...], one: str) -> None:
    assert joined(sentences) == one


def test_warnings_follow_findings_as_sentences(finished_run: RunFolder) -> None:
    summary = summary_of(finished_run)
    comparison = summary.comparisons[0]
    variant = replace(
        comparison.variants[0],
        findings=(Remark("drift", "It slows down."),),
        warnings=(Remark("trial", "the link was lost"), Remark("trial", "it was repeated")),
    )
    changed = replace(summary, comparisons=(replace(comparison, variants=(variant,)),))
    assert "It slows down. the link was lost. it was repeated.\n" in text(changed)
