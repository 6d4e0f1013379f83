"""What a person sees while variants are made."""

from __future__ import annotations

import io

from rich.console import Console

from harness.compress.artifact import Progress
from harness.terminal import RunDisplay


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
