"""The whole outputs of some stored runs, letter by letter.

An output that changed on purpose is taken over with ``pytest tests/golden --update-golden``; what
then changed below ``expected/`` belongs in the same commit, and is read before it is made.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.golden.scenarios import HERE, SCENARIOS, Scenario
from tests.golden.texts import difference, normalised

EXPECTED = HERE / "expected"
ALL = [(run, output) for run, scenario in SCENARIOS.items() for output in scenario.outputs]

Outputs = Callable[[str], dict[str, str]]


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    """All outputs of a run, made once a session; so is what keeps them from being made."""
    made: dict[str, dict[str, str] | AssertionError] = {}

    def outputs_of(run: str) -> dict[str, str]:
        if run not in made:
            produced = SCENARIOS[run].produce(tmp_path_factory.mktemp(run))
            try:
                made[run] = {name: normalised(text) for name, text in produced}
            except AssertionError as error:
                made[run] = error
        found = made[run]
        if isinstance(found, AssertionError):
            pytest.fail(str(found), pytrace=False)
        return found

    return outputs_of


@pytest.mark.parametrize(("run", "output"), ALL, ids=map("/".join, ALL))
def test_output(run: str, output: str, outputs: Outputs, update_golden: bool) -> None:
    path = EXPECTED / run / output
    now = outputs(run)[output]
    expected = path.read_text("utf-8") if path.exists() else ""
    found = difference(f"{run}/{output}", expected, now)
    if update_golden:
        if found or not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(now, "utf-8")
        return
    if found:
        meant = "If that is meant: pytest tests/golden --update-golden"
        pytest.fail(f"{found}\n\n{meant}", pytrace=False)


def test_every_golden_file_has_its_output(update_golden: bool) -> None:
    known = {EXPECTED / run / output for run, output in ALL}
    stale = [path for path in EXPECTED.rglob("*") if path.is_file() and path not in known]
    if update_golden:
        for path in stale:
            path.unlink()
        return
    assert not stale, "no output is kept there any more: pytest tests/golden --update-golden"


def test_a_command_that_crashes_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise LookupError("no such filter")

    monkeypatch.setattr("mobilebench.report.write.render", crash)
    scenario = Scenario("gate-invalid", {"resume.txt": "gate --resume gate-invalid"})
    with pytest.raises(AssertionError, match=r"(?s)exit code 70.*in crash.*no such filter"):
        [*scenario.produce(tmp_path)]


def test_a_file_that_no_command_wrote_is_named_with_what_they_said(tmp_path: Path) -> None:
    scenario = Scenario("gate-invalid", {"gone.txt": "report gone"}, ("gate-invalid/report.html",))
    with pytest.raises(AssertionError, match=r"(?s)wrote gate-invalid/report.html.*report gone"):
        [*scenario.produce(tmp_path)]


def test_names_of_outputs_are_unique() -> None:
    for scenario in SCENARIOS.values():
        assert len(set(scenario.outputs)) == len(scenario.outputs)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("3.1415926 ms", "3.1415927 ms", True),
        ("3.14 ms", "3.15 ms", False),
        ("12 of 13", "12 of 14", False),
        ("a 1.5\nb 2.5", "a 1.5", False),
        ("  | mark at 10, 20: red", "  | mark at 11, 20: red", True),
        ("  | mark at 10, 20: red", "  | mark at 12, 20: red", False),
        ("  | mark at 10, 20: red", "  | mark at 10, 20: blue", False),
    ],
)
def test_only_last_digits_may_differ(old: str, new: str, same: bool) -> None:
    assert (difference("x", old, new) == "") == same
