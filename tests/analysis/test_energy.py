"""Energy per inference from windows whose power is known exactly."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mobilebench.analysis import energy
from mobilebench.records.battery_current import CurrentProfile
from mobilebench_agent.contract import PowerSeries, Window

SECOND = 10**9
IDLE, LOAD = 2.0, 5.0
PER_INFERENCE = (LOAD - IDLE) / 50  # fifty inferences a second


def windows(pairs: int = 10, seconds: float = 2.0, seed: int = 3) -> list[Window]:
    found, now = [], 7 * SECOND
    order = random.Random(seed)
    for _ in range(pairs):
        for load in order.sample((False, True), 2):
            end = now + int(seconds * SECOND)
            count = round(50 * seconds) if load else 0
            found.append(Window(load, now, end, count))
            now = end + SECOND // 4
    return found


def joules(of: list[Window], until: int) -> float:
    """What was consumed since the first window began; between windows the device is at rest."""
    total = 0.0
    for window in of:
        watts = LOAD - IDLE if window.load else 0.0
        total += watts * max(0, min(until, window.end_ns) - window.start_ns) / SECOND
    return total + IDLE * (until - of[0].start_ns) / SECOND


def series(quantity: str, unit: str, points: list[tuple[int, float]], **more: Any) -> PowerSeries:
    given: dict[str, Any] = {"name": "it", "resolution": 1, "downstream": True, **more}
    times, values = tuple(t for t, _ in points), tuple(round(v) for _, v in points)
    return PowerSeries(
        quantity=quantity, unit=unit, source="/x", times_ns=times, values=values, **given
    )


def ends(of: list[Window]) -> list[int]:
    return [time for window in of for time in (window.start_ns, window.end_ns)]


def moments(
    of: list[Window], value: Callable[[bool], float], noise: float = 0.01
) -> list[tuple[int, float]]:
    """Twenty readings a window, a little different each, as of a gauge that is alive."""
    found, chance = [], random.Random(1)
    for window in of:
        times = np.linspace(window.start_ns + 1, window.end_ns - 1, 20)
        found += [(int(t), value(window.load) * (1 + noise * chance.uniform(-1, 1))) for t in times]
    return found


def counter(of: list[Window], step: float = 1e-6) -> list[tuple[int, float]]:
    return [(t, joules(of, t) // step * step * 1e6) for t in ends(of)]


def test_a_counter_of_energy_gives_the_difference_per_inference() -> None:
    of = windows()
    found = energy.of_trial(of, [series("energy", "µJ", counter(of))])
    assert found.reason == ""
    assert found.per_inference == pytest.approx([PER_INFERENCE] * 10, rel=1e-5)
    assert (found.idle_watts, found.load_watts) == pytest.approx((IDLE, LOAD), rel=1e-5)
    assert found.source == "it (/x)"


def test_the_order_within_a_pair_changes_nothing() -> None:
    for seed in range(20):
        of = windows(seed=seed)
        found = energy.of_trial(of, [series("energy", "µJ", counter(of))])
        assert found.per_inference == pytest.approx([PER_INFERENCE] * 10, rel=1e-5)


def test_a_counter_that_wraps_loses_nothing() -> None:
    of, most = windows(), 60e6
    wrapped = [(t, (v + 25e6) % most) for t, v in counter(of)]
    assert any(b < a for (_, a), (_, b) in itertools.pairwise(wrapped))
    found = energy.of_trial(of, [series("energy", "µJ", wrapped, maximum=most)])
    assert found.per_inference == pytest.approx([PER_INFERENCE] * 10, rel=1e-4)
    without = energy.of_trial(of, [series("energy", "µJ", wrapped)])
    assert without.per_inference == ()
    assert "went backwards" in without.reason


def test_a_step_back_is_no_wrap() -> None:
    of = windows()
    points = counter(of)
    points[5] = (points[5][0], points[4][1] - 3)
    found = energy.of_trial(of, [series("energy", "µJ", points, maximum=262143328850)])
    assert found.per_inference == ()
    assert "it went backwards, and not because it wraps" in found.reason


def test_counters_of_one_name_add_up() -> None:
    of = windows()
    half = [(t, v / 2) for t, v in counter(of)]
    found = energy.of_trial(of, [series("energy", "µJ", half), series("energy", "µJ", half)])
    assert found.per_inference == pytest.approx([PER_INFERENCE] * 10, rel=1e-4)


@pytest.mark.parametrize(("step", "enough"), [(0.1, True), (5.0, False)])
def test_a_coarse_counter_is_refused_below_fifty_steps(step: float, enough: bool) -> None:
    # What was added in all windows together is 60 J; the counter says that it counts in µJ.
    of = windows()
    found = energy.of_trial(of, [series("energy", "µJ", counter(of, step))])
    assert bool(found.per_inference) == enough
    if enough:
        assert found.resolution == pytest.approx(step)
    else:
        assert "less than 50 steps of 5 J: make the windows longer" in found.reason


def test_a_counter_that_stands_still_is_suspended() -> None:
    of = windows()
    found = energy.of_trial(of, [series("energy", "µJ", [(t, 77.0) for t in ends(of)])])
    assert "it did not change in any window" in found.reason
    same = energy.of_trial(of, [series("power", "µW", moments(of, lambda _: 3e6, noise=0))])
    assert "it is suspended, or slower than the windows" in same.reason


def test_readings_of_another_time_are_no_readings() -> None:
    of = windows()
    late = [(t + SECOND, v) for t, v in counter(of)]
    found = energy.of_trial(of, [series("energy", "µJ", late)])
    assert "away from the end of a window of 2 s: make the windows longer" in found.reason


def test_power_is_integrated_and_repeated_readings_are_dropped() -> None:
    of = windows()
    points = moments(of, lambda load: 1e6 * (LOAD if load else IDLE))
    found = energy.of_trial(of, [series("power", "µW", points)])
    assert found.per_inference == pytest.approx([PER_INFERENCE] * 10, rel=0.03)
    # A gauge that is read five times as often as it changes says the same.
    stale = [(t, points[n // 5 * 5][1]) for n, (t, _) in enumerate(points)]
    found = energy.of_trial(of, [series("power", "µW", stale)])
    assert found.per_inference == pytest.approx([PER_INFERENCE] * 10, rel=0.03)


def test_volts_times_amperes_of_a_board() -> None:
    of = windows()
    current = series("current", "mA", moments(of, lambda load: 1e3 * (LOAD if load else IDLE) / 5))
    voltage = series("voltage", "mV", moments(of, lambda _: 5000.0))
    found = energy.of_trial(of, [current, voltage])
    assert found.per_inference == pytest.approx([PER_INFERENCE] * 10, rel=0.05)


def battery(
    of: list[Window],
    scale: float = 1e6,
    plugged: float | None = 0,
    noise: float = 0.01,
    charge: float | None = None,
) -> list[PowerSeries]:
    """A phone's battery of 4 V; ``scale``: what it says for one ampere that it gives."""
    own: dict[str, Any] = {"downstream": False}
    found = [
        series(
            "current",
            "µA",
            moments(of, lambda load: scale * (LOAD if load else IDLE) / 4, noise),
            **own,
        ),
        series("voltage", "mV", moments(of, lambda _: 4000.0), **own),
    ]
    if plugged is not None:
        found.append(
            series("plugged", "1", [(t, plugged) for t in ends(of)], **own | {"name": "plug"})
        )
    if charge is not None:
        points = [(t, 3e6 - charge * joules(of, t) / 4 / 3.6e-3) for t in ends(of)]
        found.append(series("charge", "µAh", points, **own))
    return found


@pytest.mark.parametrize(
    ("scale", "unit", "sign"),
    [
        (1e6, "µA", "positive"),
        (-1e6, "µA", "negative"),
        (1e3, "mA", "positive"),
        (-1e3, "mA", "negative"),
    ],
)
def test_a_battery_that_lies_in_unit_and_sign_is_understood(
    scale: float, unit: str, sign: str
) -> None:
    of = windows()
    found = energy.of_trial(of, battery(of, scale, charge=1.0))
    assert found.per_inference == pytest.approx([PER_INFERENCE] * 10, rel=0.05), found.reason
    assert found.profile == CurrentProfile(unit, sign)


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ({"scale": 1e9}, "neither is plausible"),
        ({"scale": 10.0}, "neither is plausible"),
        ({"scale": 1e4, "charge": 1.0}, "one of them lies"),
        ({"noise": 30.0}, "changes sign"),
        ({"charge": 10.0}, "one of them lies"),
    ],
)
def test_a_lie_that_cannot_be_resolved(lie: dict[str, float], words: str) -> None:
    of = windows()
    found = energy.of_trial(of, battery(of, **lie))
    assert found.per_inference == ()
    assert words in found.reason


def test_a_current_that_always_says_the_same() -> None:
    of = windows()
    points = [(t, -2147483648.0) for t, _ in moments(of, lambda _: 1)]
    dead = series("current", "µA", points, downstream=False)
    found = energy.of_trial(of, [*battery(of)[1:], dead])
    assert "for ever: this gauge does not measure" in found.reason


def test_a_charging_device_has_no_energy_by_its_battery() -> None:
    of = windows()
    found = energy.of_trial(of, battery(of, plugged=1))
    assert found.per_inference == ()
    assert "on external power (plug)" in found.reason
    assert "--unplugged" in found.reason
    unknown = energy.of_trial(of, battery(of, plugged=None))
    assert "it is not known whether something charged" in unknown.reason
    rail = series("energy", "µJ", counter(of), name="rail")
    both = energy.of_trial(of, [*battery(of, plugged=1), rail])
    assert both.per_inference == pytest.approx([PER_INFERENCE] * 10, rel=1e-4)
    assert both.source.startswith("rail")


def test_a_known_profile_is_held_against_the_readings() -> None:
    of = windows()
    right = energy.of_trial(of, battery(of), CurrentProfile("µA", "positive"))
    assert right.per_inference
    wrong = energy.of_trial(of, battery(of), CurrentProfile("µA", "negative"))
    assert wrong.per_inference == ()
    assert "the profile of this model says µA, negative while discharging" in wrong.reason


def test_the_counter_that_was_asked_for() -> None:
    of = windows()
    board = series("energy", "µJ", counter(of), name="hwmon a VDD_IN")
    part = series("energy", "µJ", [(t, v / 3) for t, v in counter(of)], name="hwmon a VDD_CPU")
    assert energy.of_trial(of, [part, board]).source.startswith("hwmon a VDD_IN")
    chosen = energy.of_trial(of, [part, board], prefer="hwmon a VDD_CPU")
    assert chosen.per_inference == pytest.approx([PER_INFERENCE / 3] * 10, rel=1e-4)
    assert "no power counter 'x'" in energy.of_trial(of, [part], prefer="x").reason


def test_load_that_draws_no_more_than_rest() -> None:
    of = windows()
    flat = [(t, IDLE * t / 1e3) for t in ends(of)]
    assert "is less than 50 steps" in energy.of_trial(of, [series("energy", "µJ", flat)]).reason


def test_scaling_all_energies_scales_the_result() -> None:
    of = windows()
    one = energy.of_trial(of, [series("energy", "µJ", counter(of))])
    seven = energy.of_trial(of, [series("energy", "µJ", [(t, 7 * v) for t, v in counter(of)])])
    assert seven.per_inference == pytest.approx([7 * v for v in one.per_inference], rel=1e-5)
