"""What a gate's run has to say of itself: what it compares, by which policy, and when it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class Look:
    """After so many blocks a verdict may be given, with this probability of a wrong one."""

    blocks: Annotated[int, Field(ge=1, le=10_000)]
    alpha: Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True)
class Pair:
    """Which two variants of a model are compared, and where."""

    model: str
    device: str
    runtime: str
    baseline: str
    candidate: str


class PairNoise(BaseModel):
    """The calibrated noise of a pair's baseline, by metric: how much equal files differ (share)."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    pair: Pair
    noise: dict[str, Annotated[float, Field(ge=0)]]


class Gate(BaseModel):
    """The gate's part of a run.

    Attributes:
        policy: what is looked at and how much worse it may get: a table for each metric, which
            ``mobilebench.suite.policy`` validates.
        looks: after how many blocks a verdict may be given, the first look first.
        pairs: what is compared.
        noise: of the pairs that were calibrated.
    """

    model_config = ConfigDict(frozen=True)

    policy: dict[str, dict[str, Any]]
    looks: tuple[Look, ...] = Field(min_length=1)
    pairs: tuple[Pair, ...]
    noise: tuple[PairNoise, ...] = ()
