"""The gate's policy: what is looked at, how much worse it may get, what a missing number means.

TOML in, validated objects out; a table for each metric that the registry has a policy for::

    [latency]
    margin = 0.05            # 5 %
    [accuracy]
    margin = 0.005           # half a percentage point
    missing = "fail"
    [memory]
    enabled = false
    [answers]
    pass_db = 25             # without labels, by the similarity of the answers
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from mobilebench import metrics
from mobilebench.errors import BadInputError
from mobilebench.explain import explain_document
from mobilebench.metrics import Metric

#: The table that is no metric's.
ANSWERS = "answers"

Missing = Literal["ignore", "inconclusive", "fail"]
Direction = Literal["lower", "higher"]


class DifferencePolicy(BaseModel):
    """What a metric must keep to that is judged by the difference of its values.

    Attributes:
        enabled: whether it is measured and judged at all.
        direction: which way is better.
        margin: how much worse the candidate may be, in the measure of the metric's ``scale``: a
            share of the baseline's value, a difference of shares, or a number.
        missing: what it means that there is no such number: nothing, or that verdict.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    direction: Direction = "lower"
    margin: float = Field(0.0, ge=0, allow_inf_nan=False)
    missing: Missing = "ignore"


class MetricPolicy(DifferencePolicy):
    """What a metric must keep to, judged by the ratio of its values where ``floor`` applies.

    Attributes:
        floor: a change of less than that is never a regression, in the metric's unit: of a small
            value a small change is a large share.
    """

    floor: float = Field(0.0, ge=0, allow_inf_nan=False)


class AnswersPolicy(BaseModel):
    """How answers are judged where no labels say how good they are, and what counts as the same.

    Attributes:
        enabled: whether answers are judged at all: by quality, or else by similarity. If not, time
            and size are all that is asked, and every output says so.
        pass_db: answers that are at least so similar to the baseline's pass (dB).
        fail_db: those that are less similar fail, where both files are of one model; between
            the two neither is shown.
        parity_db: the least parity of a device's answers with the file's reference answers; None:
            what the file's arithmetic and the accelerator are allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    pass_db: float = Field(20.0, allow_inf_nan=False)
    fail_db: float = Field(10.0, allow_inf_nan=False)
    parity_db: float | None = Field(None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.fail_db > self.pass_db:
            raise ValueError(f"fail_db is at most pass_db, and {self.fail_db:g} is more")
        return self


@dataclass(frozen=True)
class Policy(Mapping[str, MetricPolicy]):
    """What the gate looks at, by metric; without anything, all that the registry has a policy for.

    Attributes:
        rules: what each metric must keep to.
        answers: how answers are judged; None in gates of older versions, which kept none.
    """

    rules: Mapping[str, MetricPolicy] = field(
        default_factory=lambda: {name: _default(m) for name, m in metrics.judged().items()}
    )
    answers: AnswersPolicy | None = field(default_factory=AnswersPolicy)

    @property
    def is_speed_only(self) -> bool:
        """Whether time and size are all that is asked."""
        return self.answers is not None and not self.answers.enabled

    def speed_only(self) -> Policy:
        """The same policy without answers: neither quality nor similarity is judged."""
        answers = (self.answers or AnswersPolicy()).model_copy(update={"enabled": False})
        return Policy(_without_quality(self.rules), answers)

    def __getitem__(self, metric: str) -> MetricPolicy:
        """The rule of a metric; KeyError if it is not judged."""
        return self.rules[metric]

    def __iter__(self) -> Iterator[str]:
        """The metrics that are judged."""
        return iter(self.rules)

    def __len__(self) -> int:
        """How many metrics are judged."""
        return len(self.rules)

    def document(self) -> dict[str, dict[str, Any]]:
        """The policy as plain values, as a document has it."""
        registry = metrics.registry()
        found = {name: _table(rule, registry[name]) for name, rule in self.items()}
        return found if self.answers is None else {**found, ANSWERS: self.answers.model_dump()}


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
    defaults = Policy()
    merged = {
        name: {**_table(defaults[name], metrics.registry()[name]), **table}
        if name in defaults and isinstance(table, Mapping)
        else table
        for name, table in document.items()
    }
    model = _document_model()
    try:
        read = model.model_validate(merged)
    except ValidationError as error:
        raise BadInputError(f"{origin}: {explain_document(error, model, top='metric')}") from error
    policy = {
        name: MetricPolicy.model_validate(getattr(read, name).model_dump()) for name in defaults
    }
    for name, rule in policy.items():
        if metrics.registry()[name].scale in ("ratio", "points") and rule.margin > 1:
            raise BadInputError(
                f"{origin}: {name}.margin is a share, at most 1: "
                f"write 0.03 for 3 % (got {rule.margin:g})"
            )
    answers: AnswersPolicy = getattr(read, ANSWERS)
    found = Policy(policy, answers)
    return found if answers.enabled else found.speed_only()


def stored_policy(document: Mapping[str, Any], origin: str) -> tuple[Policy, tuple[str, ...]]:
    """The policy that a run was judged by, and its metrics that are not known here.

    A metric that came later is not in it, and is not judged; answers likewise.

    Raises:
        BadInputError: it is damaged.
    """
    known = Policy()
    readable = {*known, ANSWERS}
    whole = validate({name: table for name, table in document.items() if name in readable}, origin)
    policy = {name: whole[name] for name in document if name in whole}
    answers = whole.answers if ANSWERS in document else None
    return Policy(policy, answers), tuple(name for name in document if name not in readable)


def _without_quality(rules: Mapping[str, MetricPolicy]) -> dict[str, MetricPolicy]:
    known = metrics.registry()
    return {
        name: rule.model_copy(update={"enabled": False}) if known[name].is_quality else rule
        for name, rule in rules.items()
    }


def _default(metric: Metric) -> MetricPolicy:
    rule = metric.judged or metrics.Judged()
    return MetricPolicy(
        direction=metric.direction, margin=rule.margin, missing=rule.missing, floor=rule.floor
    )


def _table(rule: MetricPolicy, metric: Metric) -> dict[str, Any]:
    return rule.model_dump(exclude=None if metric.scale == "ratio" else {"floor"})


def _document_model() -> type[BaseModel]:
    """A document's model: a table a metric, without a floor where differences are judged."""
    fields: dict[str, Any] = {ANSWERS: (AnswersPolicy, AnswersPolicy())}
    for name, metric in metrics.judged().items():
        table = MetricPolicy if metric.scale == "ratio" else DifferencePolicy
        fields[name] = (table, table.model_validate(_table(_default(metric), metric)))
    strict = ConfigDict(frozen=True, extra="forbid")
    return create_model("PolicyDocument", __config__=strict, **fields)
