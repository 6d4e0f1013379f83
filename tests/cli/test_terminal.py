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
from mobilebench.text import PLAINER
from mobilebench_agent.contract import Event
from rich.console import Console
from rich.table import Table


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


@pytest.mark.parametrize("width", [40, 80])
def test_no_word_of_any_table_is_cut(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    word, number = "convolution_2d_with_a_long_name", "123456789012345"
    table = Table(box=None)
    table.add_column("operator", no_wrap=True)
    table.add_column("output", no_wrap=True, overflow="ellipsis")
    table.add_column("milliseconds", justify="right", no_wrap=True)
    table.add_row(word, word, number)
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("COLUMNS", str(width))
    terminal._Console(width=width).print(table)
    said = stream.getvalue()
    assert "…" not in said
    assert max(map(len, said.splitlines())) <= width
    for letter in set(word + number):
        assert said.count(letter) >= 2 * word.count(letter) + number.count(letter)


def test_where_no_terminal_is_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(box=None)
    table.add_column("layer", overflow="ellipsis", no_wrap=True, max_width=16)
    table.add_row(100 * "layer/")
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    terminal.output().print(table)
    terminal.output().print("1\N{NARROW NO-BREAK SPACE}000\N{NO-BREAK SPACE}ms")
    assert 100 * "layer/" in stream.getvalue()
    assert stream.getvalue().endswith("1\N{NARROW NO-BREAK SPACE}000\N{NO-BREAK SPACE}ms\n")


@pytest.mark.parametrize(("encoding", "micro"), [("ascii", "u"), ("latin-1", "µ")])
def test_what_an_encoding_lacks_is_put_plainer(encoding: str, micro: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=PLAINER, newline="\n")
    thousand = "1\N{NARROW NO-BREAK SPACE}000"
    stream.write(f"prune(0.8) → int8: {thousand} µs, −1.5 points 漢")
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == (  # type: ignore[attr-defined]
        f"prune(0.8) -> int8: 1 000 {micro}s, -1.5 points ?"
    )


def test_where_no_bar_moves_lines_say_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10_000, 4))
    monkeypatch.setattr(terminal.time, "monotonic", lambda: float(next(now)))
    piped = io.StringIO()
    planned = [
        PlannedTrial(f"r.{n}", "memory", 0, "d", "m", f"file {n}", "cpu-1") for n in range(40)
    ]
    suite = Suite.model_validate({"name": "s", "models": [{"name": "m", "source": "m.tflite"}]})
    with RunDisplay(Console(file=piped)) as display:
        for n in range(60):
            display.compressing(Progress(n, 60, "m", f"file {n}", "convert"))
        display.compressing(Progress(60, 60, "m", "file 59", "done"))
        display.measuring(planned, set(), suite)
        for trial in planned:
            display.on_trial(trial)
            display.on_record(
                Trial(**vars(trial), artifact="", state="valid", started="", seconds=0)
            )
    lines = piped.getvalue().splitlines()
    made = [line for line in lines if line.startswith("compress")]
    measured = [line for line in lines if line.startswith("measure")]
    assert lines == [*made, *measured]
    assert made[0] == "compress 0 of 60, 0:00:00 so far: m · file 0, convert"
    assert made[-1].startswith("compress 60 of 60 in 0:")
    assert measured[0] == "measure 0 of 40, 0:00:00 so far"
    assert measured[-1].startswith("measure 40 of 40 in 0:")
    assert 5 < len(made) < 30, "now and then, not for each"
    assert 3 < len(measured) < 30
