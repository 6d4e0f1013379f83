"""What a search chooses from, as data: slots of a recipe, each with choices and typed settings."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Protocol, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mobilebench.compress.recipe import Recipe, parse_recipe
from mobilebench.compress.registry import find_step
from mobilebench.compress.step import Step
from mobilebench.errors import BadInputError, did_you_mean
from mobilebench.explain import explain_document
from mobilebench.models.layer_kinds import LayerKind

#: What a choice may require of the model, its data, or the aim.
TRAITS = ("training", "student", "calibration", "float", "download", *get_args(LayerKind))

#: What a slot takes where it takes none of its choices.
NONE = "none"

_OWN = Path(__file__).with_name("space.toml")
#: Numbers of a range are on its grid to within that share of its step.
_NEAR = 1e-6

Scalar = bool | int | float | str


class Draw(Protocol):
    """What draws values by name, as a trial of Optuna does."""

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Any:
        """One of the choices."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """A whole number of that range."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None
    ) -> float:
        """A number of that range."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Range(_Table):
    """The numbers from ``low`` to ``high``: all of them, or those on the grid of ``step``."""

    low: int | float
    high: int | float
    step: int | float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, and {self.low} is not below {self.high}")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether it has whole numbers alone."""
        return all(
            type(x) is int for x in (self.low, self.high, 1 if self.step is None else self.step)
        )

    def draw(self, name: str, trial: Draw) -> Scalar:
        """One of its numbers."""
        if self.is_whole:
            return trial.suggest_int(name, int(self.low), int(self.high), step=int(self.step or 1))
        found = trial.suggest_float(name, self.low, self.high, step=self.step)
        return round(found, 9)  # 0.30000000000000004 is another recipe's text

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not self.low <= value <= self.high or (self.is_whole and value != int(value)):
            return False
        step = self.step or (1 if self.is_whole else None)
        if step is None:
            return True
        place = (value - self.low) / step
        return abs(place - round(place)) < _NEAR


Values = Range | tuple[Scalar, ...]


class Choice(_Table):
    """One or several steps that a slot may put into the recipe.

    Attributes:
        name: unique in the space.
        steps: the steps in order: ``step`` is its name; each setting is a value, a list of values
            or a range.
        requires: what the model, its data or the aim must have, of ``TRAITS``.
        unless: names of choices of earlier slots that it makes no sense after.
    """

    name: str = Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_-]+$")
    steps: tuple[dict[str, Any], ...] = Field(min_length=1)
    requires: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _are_steps(self) -> Self:
        for table in self.steps:
            kind, implied = _step_of(table)
            settings = {name: _values(value) for name, value in table.items() if name != "step"}
            known = kind.model_fields
            for name in settings:
                if name not in known:
                    hint = did_you_mean(name, known)
                    raise ValueError(f"step {table['step']} has no setting {name!r}: {hint}")
            first = {n: v.low if isinstance(v, Range) else v[0] for n, v in settings.items()}
            last = {n: v.high if isinstance(v, Range) else v[-1] for n, v in settings.items()}
            for values in (first, last):
                try:
                    kind.model_validate({**implied, **values})
                except ValidationError as error:
                    raise ValueError(explain_document(error, kind)) from error
        if self.name == NONE:
            raise ValueError(f"a choice cannot be called {NONE!r}")
        return self

    def settings(self) -> Iterator[tuple[str, str, dict[str, Values]]]:
        """Each step's place in the choice, its name, and its settings."""
        for number, table in enumerate(self.steps):
            values = {name: _values(value) for name, value in table.items() if name != "step"}
            yield f"{self.name}.{number}", str(table["step"]), values


class Slot(_Table):
    """One place of a recipe.

    Attributes:
        name: unique in the space.
        choices: what it may hold.
        required: whether it must hold one of them, where it is open.
        follows: it holds nothing unless one of these choices was taken before.
        unless: nor if one of these was.
    """

    name: str = Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_-]+$")
    choices: tuple[Choice, ...] = Field(min_length=1)
    required: bool = False
    follows: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    def is_open(self, taken: Set[str]) -> bool:
        """Whether it may hold something, after those choices of earlier slots."""
        return (not self.follows or bool(taken & {*self.follows})) and not taken & {*self.unless}

    @property
    def options(self) -> tuple[str, ...]:
        """What may be drawn for it."""
        names = tuple(choice.name for choice in self.choices)
        return names if self.required else (NONE, *names)


class Start(_Table):
    """A recipe to begin with: ``requires`` as a choice has it."""

    recipe: str
    requires: tuple[str, ...] = ()


class Space(_Table):
    """All recipes that a search may try, and those that it begins with."""

    slots: tuple[Slot, ...] = Field(min_length=1)
    start: tuple[Start, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> Self:
        choices = [choice.name for slot in self.slots for choice in slot.choices]
        for kind, names in (("slots", [s.name for s in self.slots]), ("choices", choices)):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"two {kind} are called {name!r}; names must differ")
        before: set[str] = set()
        for slot in self.slots:
            rules = [*slot.follows, *slot.unless, *(u for c in slot.choices for u in c.unless)]
            for name in rules:
                if name not in before:
                    raise ValueError(
                        f"slot {slot.name!r} names {name!r}, and no earlier slot has that choice"
                    )
            before |= {choice.name for choice in slot.choices}
        wanted = [r for s in self.slots for c in s.choices for r in c.requires]
        for name in (*wanted, *(r for start in self.start for r in start.requires)):
            if name not in TRAITS:
                raise ValueError(
                    f"requires {name!r}: {did_you_mean(name, TRAITS)}known are {', '.join(TRAITS)}"
                )
        for start in self.start:
            try:
                parse_recipe(start.recipe)
            except BadInputError as error:
                raise ValueError(f"start: {error}") from error
        return self

    def within(self, traits: Set[str]) -> Space:
        """What of it is possible and may be of use for a model with those traits.

        Raises:
            BadInputError: nothing is, or a required slot has nothing to hold.
        """
        slots: list[Slot] = []
        for slot in self.slots:
            there = {choice.name for before in slots for choice in before.choices}
            if slot.follows and not there & {*slot.follows}:
                continue  # what it belongs to is not possible
            # Rules about what is left out go with it, so that what remains is a space by itself.
            kept = tuple(
                c.model_copy(update={"unless": _of(c.unless, there)})
                for c in slot.choices
                if traits >= {*c.requires}
            )
            if kept:
                rules = {"follows": _of(slot.follows, there), "unless": _of(slot.unless, there)}
                slots.append(slot.model_copy(update={"choices": kept, **rules}))
            elif slot.required:
                raise BadInputError(
                    f"slot {slot.name!r} of the space has no choice that this model allows; it "
                    f"has {', '.join(sorted(traits)) or 'nothing to work with'}"
                )
        start = tuple(s for s in self.start if traits >= {*s.requires})
        if not slots:
            raise BadInputError(
                "the space has no choice that this model allows; it has "
                f"{', '.join(sorted(traits)) or 'nothing to work with'}"
            )
        return self.model_copy(update={"slots": tuple(slots), "start": start})

    def draw(self, trial: Draw) -> Recipe:
        """A recipe of the space.

        Raises:
            BadInputError: what was drawn makes no sense in this order.
        """
        taken: set[str] = set()
        steps: list[dict[str, Any]] = []
        for slot in self.slots:
            if not slot.is_open(taken):
                continue
            name = trial.suggest_categorical(slot.name, slot.options)
            choice = next((c for c in slot.choices if c.name == name), None)
            if choice is None or taken & {*choice.unless}:
                if slot.required:
                    raise BadInputError(
                        f"slot {slot.name!r} must hold something, and {name!r} makes no sense there"
                    )
                continue
            taken.add(choice.name)
            for place, step, settings in choice.settings():
                drawn = {
                    setting: _draw(f"{place}.{setting}", values, trial)
                    for setting, values in settings.items()
                }
                steps.append({"step": step, **drawn})
        return parse_recipe({"steps": steps or [{"step": "float32"}]})

    def parameters(self, recipe: Recipe) -> dict[str, Scalar] | None:
        """What is to be drawn for that recipe; None where the space does not have it."""
        steps = () if recipe.text == "float32" else recipe.steps
        return next(self._matches(self.slots, steps, frozenset()), None)

    def _matches(
        self, slots: Sequence[Slot], steps: Sequence[Step], taken: frozenset[str]
    ) -> Iterator[dict[str, Scalar]]:
        if not slots:
            if not steps:
                yield {}
            return
        slot, *rest = slots
        if not slot.is_open(taken):
            yield from self._matches(rest, steps, taken)
            return
        for choice in slot.choices:
            found = None if taken & {*choice.unless} else _matched(choice, steps)
            if found is not None:
                left = steps[len(choice.steps) :]
                for more in self._matches(rest, left, taken | {choice.name}):
                    yield {slot.name: choice.name, **found, **more}
        if not slot.required:
            for more in self._matches(rest, steps, taken):
                yield {slot.name: NONE, **more}


def read_space(path: Path | None) -> Space:
    """The space of a TOML file; None: the one that MobileBench brings along.

    Raises:
        BadInputError: it cannot be read, or something in it is not valid.
    """
    path = path or _OWN
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} is not valid TOML: {error}") from error
    try:
        return Space.model_validate(document)
    except ValidationError as error:
        raise BadInputError(f"{path}: {explain_document(error, Space)}") from error


def _of(names: Sequence[str], there: Set[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in there)


def _step_of(table: Mapping[str, Any]) -> tuple[type[Step], dict[str, Any]]:
    name = table.get("step")
    if not isinstance(name, str):
        raise ValueError('each step is a table like { step = "int8" }')
    try:
        return find_step(name)
    except BadInputError as error:
        raise ValueError(str(error)) from error


def _values(value: Any) -> Values:
    if isinstance(value, Mapping):
        return Range.model_validate(value)
    if isinstance(value, list | tuple):
        if not value or not all(isinstance(v, bool | int | float | str) for v in value):
            raise ValueError(f"a list of values holds numbers, texts or booleans, not {value!r}")
        return tuple(value)
    if isinstance(value, bool | int | float | str):
        return (value,)
    raise ValueError(f"a setting is a value, a list or a range {{low, high, step}}, not {value!r}")


def _draw(name: str, values: Values, trial: Draw) -> Scalar:
    if isinstance(values, Range):
        return values.draw(name, trial)
    found: Scalar = values[0] if len(values) == 1 else trial.suggest_categorical(name, values)
    return found


def _matched(choice: Choice, steps: Sequence[Step]) -> dict[str, Scalar] | None:
    """What is to be drawn so that a choice gives the first steps; None if it cannot."""
    if len(steps) < len(choice.steps):
        return None
    found: dict[str, Scalar] = {}
    for (place, name, settings), step in zip(choice.settings(), steps, strict=False):
        kind, implied = find_step(name)
        if type(step) is not kind:
            return None
        for setting, field in kind.model_fields.items():
            value = getattr(step, setting)
            values = settings.get(setting)
            if values is None:
                if value != implied.get(setting, field.default):
                    return None
            elif value not in values:
                return None
            elif isinstance(values, Range) or len(values) > 1:
                found[f"{place}.{setting}"] = value
    return found
