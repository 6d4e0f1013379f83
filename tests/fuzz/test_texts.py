"""Whatever a phone, a board or a program prints: it is read, or one sentence says why not."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from mobilebench.devices.adb import parse, refusal
from mobilebench.devices.adb.device_lines import parse_device_lines
from mobilebench.devices.android import makers, page_size
from mobilebench.devices.android.phone_power import parse_rails
from mobilebench.devices.base import TrialError
from mobilebench.devices.benchmark_model.output import parse_output
from mobilebench.devices.benchmark_model.profile import parse_profile
from mobilebench.devices.linux import state
from mobilebench_agent.contract import Metric

from tests.support.dumps import DUMPS
from tests.support.fuzz import corpus, fuzz, kept
from tests.support.mutate import mutated_bytes

BOARD = """\
/sys/class/thermal/thermal_zone0/temp=41500
/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq=1800000
/sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq=1800000
/sys/devices/platform/soc/soc:firmware/get_throttled=50005
"""
GOOD = [
    *(path.read_bytes() for path in sorted(DUMPS.glob("*.txt"))),
    b"table system 60\ntable secure 200\ntable global 300\nsystem POWER_SAVE_MODE_OPEN=0\n",
    BOARD.encode(),
    b"[ro.serialno]: [R5CT]\n[ro.build.version.sdk]: [34]\n",
]


def board(text: str) -> tuple[Metric, ...]:
    found = state.parse(text)
    list(state.problems(found))
    return found.metrics("before")


def page_size_mode(text: str) -> str:
    return page_size.why_off({}, text)


PARSERS: tuple[Callable[[str], Any], ...] = (
    parse.parse_properties, parse.parse_battery, parse.parse_thermal, parse.parse_screen_on,
    parse.parse_power_save, parse.parse_locked, parse.parse_start, parse.parse_install,
    parse.parse_app_version, parse.parse_exit, parse_device_lines, refusal.sentence,
    makers.parse_savers, makers.is_refusal, page_size.parse_size, page_size_mode, parse_rails,
    board, parse_output, parse_profile,
)  # fmt: skip


def read(text: str) -> None:
    for parser in PARSERS:
        try:
            found = parser(text)
        except TrialError as error:
            found = error.reason
        assert not isinstance(found, str) or len(found) < 1000
        ensure_possible(found)


def ensure_possible(found: Any) -> None:
    """No number that was read is infinite, or none at all."""
    if isinstance(found, float):
        assert math.isfinite(found)
    elif isinstance(found, dict):
        ensure_possible(list(found.values()))
    elif isinstance(found, list | tuple):
        for part in found:
            ensure_possible(part)
    elif hasattr(found, "__dict__"):
        ensure_possible(vars(found))


@pytest.mark.parametrize("path", corpus("texts"), ids=lambda path: path.stem)
def test_texts_that_once_broke_something(path: Path) -> None:
    read(path.read_text("utf-8", "replace"))


@pytest.mark.parametrize(
    "piece",
    [" ", "\n", "\t\r", " \n", "[a]: [b\n", "Failure [INSTALL_A: ", "  Temperature{mValue="],
)
def test_a_flood_of_one_text_is_read_in_one_pass(piece: str) -> None:
    """Searched to its end from each place where something may begin, it would take hours."""
    read("x" + piece * (400_000 // len(piece)) + "x")


@fuzz(500)
def test_any_text_is_read_or_refused(number: int) -> None:
    random = Random(number)
    content = mutated_bytes(random.choice(GOOD), random)
    with kept(content, ".txt"):
        read(content.decode("utf-8", "replace"))
