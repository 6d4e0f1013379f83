"""The gate's policy: what is looked at, how much worse it may get, what a missing number means.

TOML in, validated objects out::

    [latency]
    margin = 0.05            # 5 %
    [accuracy]
    margin = 0.005           # half a percentage point
    missing = "fail"
    [memory]
    enabled = false
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mobilebench.errors import BadInputError
from mobilebench.explain import explain_document

Missing = Literal["ignore", "inconclusive", "fail"]
Direction = Literal["lower", "higher"]


class MetricPolicy(BaseModel):
    """What one metric must keep to.

    Attributes:
        enabled: whether it is measured and judged at all.
        direction: which way is better.
        margin: how much worse the candidate may be, in the metric's own measure (see ``SHARES``
            and the docs): a share of the baseline, of the samples, or a number of nodes.
        missing: what it means that there is no such number: nothing, or that verdict.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    direction: Direction = "lower"
    margin: float = Field(0.0, ge=0, allow_inf_nan=False)
    missing: Missing = "ignore"


class MemoryPolicy(MetricPolicy):
    """Memory has a floor as well: pages come and go, and a small model needs few of them.

    Attributes:
        floor: growth that is never a regression, bytes.
    """

    floor: int = Field(256 * 1024, ge=0)


class Policy(BaseModel):
    """What the gate looks at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency: MetricPolicy = MetricPolicy(margin=0.03, missing="inconclusive")
    memory: MemoryPolicy = MemoryPolicy(margin=0.05, missing="inconclusive")
    energy: MetricPolicy = MetricPolicy(margin=0.05)
    size: MetricPolicy = MetricPolicy(margin=0.01, missing="inconclusive")
    download: MetricPolicy = MetricPolicy(margin=0.01)
    accuracy: MetricPolicy = MetricPolicy(margin=0.01, direction="higher")
    delegation: MetricPolicy = MetricPolicy()


#: Metrics whose margin is a share, at most 1; the margin of the others counts nodes.
SHARES = ("latency", "memory", "energy", "size", "download", "accuracy")


def read_policy(path: Path | None) -> Policy:
    """The policy of a TOML file, or the default one.

    Raises:
        BadInputError: there is no such file, or it is no policy; the message says what would be.
    """
    if path is None:
        return Policy()
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BadInputError(f"there is no policy file {path}") from error
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} is not valid TOML: {error}") from error
    return validate(document, str(path))


def validate(document: Mapping[str, Any], origin: str) -> Policy:
    """The policy that a document holds; what it leaves out is as in the default one.

    Raises:
        BadInputError: with ``origin``, the key, and what would be accepted there.
    """
    defaults = Policy().model_dump()
    merged = {
        name: {**defaults[name], **table}
        if name in defaults and isinstance(table, Mapping)
        else table
        for name, table in document.items()
    }
    try:
        policy = Policy.model_validate(merged)
    except ValidationError as error:
        raise BadInputError(f"{origin}: {explain_document(error, Policy, top='metric')}") from error
    for name in SHARES:
        margin = getattr(policy, name).margin
        if margin > 1:
            raise BadInputError(
                f"{origin}: {name}.margin is a share, at most 1: "
                f"write 0.03 for 3 % (got {margin:g})"
            )
    return policy
