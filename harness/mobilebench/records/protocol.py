"""How often and how long a suite measures."""

from __future__ import annotations

from typing import Any

from mobilebench_agent.contract import FEWEST_WINDOWS
from pydantic import BaseModel, ConfigDict, Field, model_validator


class MeasuringProtocol(BaseModel):
    """How often and how long. The defaults are those of TensorFlow's benchmark_model.

    Attributes:
        blocks: fresh processes a variant; six give a 95 % interval of the median.
        warmup_runs: at least so many inferences before the first timed one.
        warmup_seconds: and at least so long.
        runs: at least so many timed inferences a trial.
        seconds: and at least so long.
        max_seconds: a slow model stops here, with fewer runs.
        timeout_seconds: a trial without an answer by then has failed; energy windows come on top.
        cooldown_celsius: a trial begins when the device (a phone's battery, a Linux machine's
            hottest thermal zone) has at most so many degrees; None: when it is not throttled.
        cooldown_seconds: how long that is waited for; after that the run cannot go on.
        sustained_minutes: a latency trial is sustained so long, in the place of ``runs`` and
            ``seconds``, and then there is one a variant unless ``blocks`` says otherwise;
            None: bursts.
        energy: whether energy per inference is measured, where a device has a counter for it.
        energy_windows: pairs of an idle and a load window in an energy trial.
        energy_seconds: how long each window is.
        parity_db: the least parity of a device's answers with the file's reference answers (dB);
            None: what the file's arithmetic and the accelerator are allowed.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    blocks: int = Field(6, ge=1, le=10_000)
    warmup_runs: int = Field(1, ge=0)
    warmup_seconds: float = Field(0.5, ge=0, le=3600)
    runs: int = Field(50, ge=1)
    seconds: float = Field(1.0, ge=0, le=3600)
    max_seconds: float = Field(150.0, gt=0, le=36000)
    timeout_seconds: float = Field(300.0, gt=0, le=36000)
    cooldown_celsius: float | None = Field(None, ge=0, le=150)
    cooldown_seconds: float = Field(600.0, ge=0, le=36000)
    sustained_minutes: float | None = Field(None, gt=0, le=600)
    energy: bool = False
    energy_windows: int = Field(FEWEST_WINDOWS, ge=FEWEST_WINDOWS, le=1000)
    energy_seconds: float = Field(2.0, gt=0, le=600)
    parity_db: float | None = Field(None, ge=-150, le=150)

    @model_validator(mode="before")
    @classmethod
    def _one_block(cls, table: Any) -> Any:
        if isinstance(table, dict) and table.get("sustained_minutes") and "blocks" not in table:
            return {**table, "blocks": 1}
        return table

    @property
    def measured_seconds(self) -> float:
        """How long a latency trial is timed, at least."""
        return self.seconds if self.sustained_minutes is None else 60 * self.sustained_minutes

    def expected_seconds(self, kind: str) -> float:
        """How long the timed loops or the windows of a trial take."""
        if kind == "latency":
            return self.warmup_seconds + self.measured_seconds
        if kind == "energy":
            # Each window has a lead-in of a quarter of its length.
            return self.warmup_seconds + 2.5 * self.energy_windows * self.energy_seconds
        return 0.0

    def limit_seconds(self, kind: str) -> float:
        """When a trial without an answer has failed."""
        return self.timeout_seconds + (self.expected_seconds(kind) if kind == "energy" else 0)
