"""What a phone says of its power counters."""

import pytest
from mobilebench.devices.android.phone_power import parse_rails

#: As published by users of Pixel phones (adb shell cat …/energy_value); [S], not recorded by us.
RAILS = """t=349894
CH0(T=349894)[S10M_VDD_TPU], 5578756
CH1(T=349894)[VSYS_PWR_MODEM], 29110940
CH2(T=349894)[VSYS_PWR_RFFE], 3166046
t=349901
CH0(T=349901)[VSYS_PWR_DISPLAY], 1
"""


def test_rails() -> None:
    names = ("S10M_VDD_TPU", "VSYS_PWR_MODEM", "VSYS_PWR_RFFE", "VSYS_PWR_DISPLAY")
    assert parse_rails(RAILS) == names


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cat: /sys/bus/iio/devices/iio:device0/energy_value: Permission denied\n",
        "CH0(T=1)[A B], 5\n",
        "CH0(T=x)[A], 5\n",
        "CH0(T=1)[A], -5\n",
        "CH0(T=1)[A], 5 and more\n",
    ],
)
def test_no_rails(text: str) -> None:
    assert parse_rails(text) == ()
