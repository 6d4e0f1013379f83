"""What a suite says of one device."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mobilebench.devices.checks import DeviceCheck
from mobilebench.text import NAME_PATTERN


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BatteryCurrent(_Table):
    """How a phone reports its battery's current.

    Attributes:
        unit: of the number.
        discharging: its sign while the battery discharges.
    """

    unit: Literal["µA", "mA"]
    discharging: Literal["positive", "negative"]


class DeviceSpec(_Table):
    """Where models run. Which of the settings a device has, its kind decides.

    Attributes:
        name: how tables call it.
        kind: ``local``, ``android``, ``board``, ``ssh``, or one that a plug-in registers.
        address: which device of its kind: a serial, ``adb://HOST:PORT/SERIAL``,
            ``ssh://USER@HOST:PORT``; empty for the only one.
        python: the interpreter whose runtime is used.
        allow: checks that the device may fail; every result says so.
        executor: who measures: ``agent`` is the app or agent of MobileBench, ``benchmark_model``
            TensorFlow's own program, for cross-checks.
        binary: that program, built for the device.
        unplugged: it must run on its battery, and is reached without a cable.
        power_counter: the counter that energy is read from; empty: the best one available.
        battery_current: how it reports its battery's current, where that cannot be found out.
    """

    name: str = Field(max_length=60, pattern=NAME_PATTERN)
    kind: str = "local"
    address: str = ""
    python: str | None = None
    allow: tuple[DeviceCheck, ...] = ()
    executor: Literal["agent", "benchmark_model"] = "agent"
    binary: str | None = None
    unplugged: bool = False
    power_counter: str = Field("", max_length=200)
    battery_current: BatteryCurrent | None = None

    @model_validator(mode="before")
    @classmethod
    def _ssh_is_a_kind(cls, table: Any) -> Any:
        # A machine behind ssh was written as a board in earlier versions, and is so in their runs.
        is_board = isinstance(table, dict) and table.get("kind") == "board"
        if is_board and str(table.get("address", "")).startswith("ssh://"):
            return {**table, "kind": "ssh"}
        return table

    @model_validator(mode="after")
    def _whole_executor(self) -> Self:
        if (self.executor == "benchmark_model") != (self.binary is not None):
            raise ValueError(
                f"device {self.name!r}: executor 'benchmark_model' and its binary go together"
            )
        return self
