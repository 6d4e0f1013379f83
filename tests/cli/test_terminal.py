"""What a person sees while variants are made."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from mobilebench.analysis.estimates import Estimate, Interval
from mobilebench.analysis.gate_finding import Finding
from mobilebench.analysis.gating import Verdict
from mobilebench.analysis.verdicts import Comparison
from mobilebench.cli import terminal
from mobilebench.cli.terminal import RunDisplay
from mobilebench.compress.artifact import Progress
from mobilebench.devices.found import Found
from mobilebench.devices.kind import Check
from mobilebench.records.trial import PlannedTrial, Trial
from mobilebench.report.exports import gate as outputs
from mobilebench.runs.verdict import GateResult
from mobilebench.suite.schema import Suite
from mobilebench_agent.contract import Event
from rich.console import Console


def shown(*told: Progress) -> str:
    """The lines that are on the terminal after the last of these."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with RunDisplay(console) as display:
        for progress in told:
            display.compressing(progress)
        with console.capture() as capture:
            console.print(display._progress.get_renderable())
    return capture.get()


def step(text: str, fraction: float | None = None) -> Progress:
    return Progress(0, 2, "m", "prune(0.8) → int8", text, fraction=fraction)


def test_the_step_under_way_has_a_bar_of_its_own() -> None:
    text = shown(step("prune(0.8) 1/4", 0.25), step("prune(0.8) 2/4", 0.5))
    assert "m · prune(0.8) → int8" in text
    assert "prune(0.8) 2/4" in text
    assert "50%" in text


def test_an_unknown_time_left_is_shown_as_the_time_so_far() -> None:
    text = shown(step("convert"))
    assert "0:00:00 so far" in text
    assert "left" not in text
    assert "0:00:00 so far" in shown(Progress(1, 2, "m", "int8", "done", cached=True))


def test_the_time_that_it_took_is_shown_at_the_end() -> None:
    text = shown(Progress(1, 1, "m", "int8", "done"))
    assert "1 variant " in text
    assert "in 0:00:00" in text


def test_what_says_that_something_goes_on_leaves_no_trace() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with RunDisplay(console) as display:
        display.prepare()
        display.compressing(step("convert"))
        tasks = display._progress.tasks
    assert len(tasks) == 2
    piped = io.StringIO()
    with RunDisplay(Console(file=piped)) as display:
        display.prepare()
    assert piped.getvalue() == ""


def test_of_a_long_step_the_passes_stay_in_sight() -> None:
    name = "prune(0.8, scope=sensitivity, importance=taylor)"
    text = shown(step(f"{name} 7/15", 7 / 15))
    assert "7/15" in text
    assert name not in text


def test_a_new_step_begins_at_nothing_and_an_end_takes_the_bar_away() -> None:
    begun = shown(step("prune(0.8) 4/4", 1.0), step("convert"))
    assert "convert" in begun
    assert "100%" not in begun
    ended = shown(step("int8 50/100", 0.5), Progress(1, 2, "m", "prune(0.8) → int8", "done"))
    assert "50/100" not in ended


#: What devices, files and their authors may write anywhere.
HOSTILE = ("[/red]", "[link=http://x]y[/link]", "\x1b]52;c;aGk=\x07", "\x1b[2J", ":bomb:", "\u202e")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_write_is_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", stream)
    console = terminal.errors()
    planned = PlannedTrial("r.0", "latency", 0, text, text, text, "cpu-1")
    suite = Suite.model_validate({"name": "s", "models": [{"name": "m", "source": "m.tflite"}]})
    with RunDisplay(console) as display:
        display.measuring([planned], set(), suite)
        display.on_trial(planned)
        display.on_event(Event("r.0", f"cooling: {text}"))
        display.on_event(Event("r.0", text, 0.5))
        display.on_record(
            Trial(**vars(planned), artifact="", state="failed", started="", seconds=0,
                  code="internal", reason=text)
        )  # fmt: skip
    found = Found(text, model=text, advice=text)
    for shown in (
        terminal.device_table([found, replace(found, state=text)]),
        terminal.check_table([Check(text, False, text, text)]),
        text,
    ):
        terminal.output().print(shown)
    written = stream.getvalue()
    assert all(line.isprintable() for line in written.splitlines())
    if text.isprintable():
        assert written.count(text) >= 6


def test_a_verdict_is_whole_where_there_is_little_room_or_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    effect = Estimate(0.0123, Interval(-0.0456, 0.0789), 30)
    finding = Finding(
        "first_inference", Verdict.INCONCLUSIVE, effect, 0.03, 123_456_789.0, 123_456_789.0
    )
    comparison = Comparison("a model", "a device", "cpu-1", "a", "b", (finding,))
    result = GateResult("r", Path("r"), (comparison,), ())
    for width in (80, None):
        stream = io.StringIO()
        monkeypatch.setattr("sys.stdout", stream)
        console = terminal.output() if width is None else Console(file=stream, width=width)
        console.print(outputs.terminal(result))
        assert "…" not in stream.getvalue()
        assert "INCONCLUSIVE" in stream.getvalue()
