"""Recipes: ordered chains of compression steps, read from text or from a table.

``distill(T=4, alpha=0.7) → prune(0.8) → int8`` and
``{name = "small", steps = [{step = "distill"}, {step = "prune", sparsity = 0.8}]}``
go through one parser. Nothing is evaluated, and nothing heavy is imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mobilebench.compress.order import check_order
from mobilebench.compress.registry import find_step
from mobilebench.compress.step import Step, TrainingStep
from mobilebench.errors import BadInputError
from mobilebench.explain import explain_settings, known_settings, shown

_LIKE = "write steps like prune(0.8) or int8(samples=64)"
ARROW = " → "

_LONGEST_TEXT = 1000
_MOST_STEPS = 20
#: A bare word that Python keeps for itself.
_KEYWORD = re.compile(r"=\s*(global)\b")


@dataclass(frozen=True)
class Recipe:
    """A chain of steps.

    ``name`` is how tables call it: the text unless the suite gives another. ``text`` is
    canonical: two recipes that do the same have the same text.
    """

    name: str
    text: str
    steps: tuple[Step, ...]

    @property
    def needs_device(self) -> bool:
        """Whether a step measures latency."""
        return any(isinstance(step, TrainingStep) and step.needs_device for step in self.steps)


def parse_recipe(source: str | Mapping[str, object]) -> Recipe:
    """Reads a recipe.

    Args:
        source: text, or a table with ``steps`` or ``recipe`` (text), and optionally ``name``.

    Raises:
        BadInputError: an unknown step or setting, a setting that is not allowed, or an order
            that makes no sense.
    """
    name: str | None = None
    if isinstance(source, str):
        steps = _steps_of_text(source)
    else:
        name, steps = _read_table(source)
    if not 1 <= len(steps) <= _MOST_STEPS:
        raise BadInputError(f"a recipe has 1 to {_MOST_STEPS} steps, not {len(steps)}")
    check_order(steps)
    text = ARROW.join(step.text() for step in steps)
    return Recipe(name or text, text, steps)


def _read_table(table: Mapping[str, object]) -> tuple[str | None, tuple[Step, ...]]:
    surplus = sorted(str(key) for key in set(table) - {"name", "steps", "recipe"})
    if surplus:
        raise BadInputError(
            f"a recipe table has the unknown key {shown(surplus[0])}; it takes name, and recipe "
            "or steps"
        )
    name, text, steps = table.get("name"), table.get("recipe"), table.get("steps")
    if name is not None and (not isinstance(name, str) or not name.strip() or len(name) > 100):
        raise BadInputError(
            f"a recipe's name must be a text of 1 to 100 characters, not {shown(name)}"
        )
    if (text is None) == (steps is None):
        raise BadInputError(f"recipe {name or ''!r} needs either recipe or steps")
    if text is not None:
        if not isinstance(text, str):
            raise BadInputError(f"recipe {name or ''!r}: recipe must be a text, not {shown(text)}")
        return name, _steps_of_text(text)
    if not isinstance(steps, Sequence) or isinstance(steps, str):
        raise BadInputError(f"recipe {name or ''!r}: steps must be a list of tables")
    found = []
    for entry in steps:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("step"), str):
            raise BadInputError(
                f'recipe {name or ""!r}: each step must be a table like {{step = "int8"}}, '
                f"not {shown(entry)}"
            )
        settings = {str(key): value for key, value in entry.items() if key != "step"}
        found.append(_make_step(str(entry["step"]), (), settings))
    return name, tuple(found)


def _steps_of_text(text: str) -> tuple[Step, ...]:
    if len(text) > _LONGEST_TEXT:
        raise BadInputError(f"a recipe has {len(text)} characters; {_LONGEST_TEXT} are the most")
    return tuple(_parse_step(piece.strip(), text) for piece in re.split("→|->", text))


def _parse_step(piece: str, text: str) -> Step:
    where = f"recipe {text!r}"
    if not piece:
        raise BadInputError(
            f"{where} has an empty step; write steps like 'prune(0.8) → int8', 'float32' for none"
        )
    try:
        node = ast.parse(_KEYWORD.sub(r"='\1'", piece), mode="eval").body
        if isinstance(node, ast.Name):
            return _make_step(node.id, (), {})
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            settings: dict[str, Any] = {}
            for keyword in node.keywords:
                if keyword.arg is None or keyword.arg in settings:
                    raise ValueError("a setting without a name or twice")
                settings[keyword.arg] = _literal(keyword.value)
            return _make_step(node.func.id, tuple(map(_literal, node.args)), settings)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise BadInputError(f"{where} cannot be read at {shown(piece)}; {_LIKE}") from error
    raise BadInputError(f"{where} cannot be read at {shown(piece)}; {_LIKE}")


def _literal(node: ast.expr) -> Any:
    """A number, a text or a bare word; nothing is evaluated."""
    if isinstance(node, ast.Name):
        return node.id
    return ast.literal_eval(node)


def _make_step(name: str, positional: tuple[Any, ...], settings: dict[str, Any]) -> Step:
    kind, implied = find_step(name)
    settings = {**implied, **settings}
    if positional:
        if not kind.leading or len(positional) > 1 or kind.leading in settings:
            takes = "one value" if kind.leading else "no value"
            raise BadInputError(
                f"{kind.name} takes {takes} without a name; {known_settings(kind.settings())}"
            )
        settings = {kind.leading: positional[0], **settings}
    try:
        step = kind.model_validate(settings)
    except ValidationError as error:
        reason = explain_settings(error, kind, kind.settings())
        raise BadInputError(f"recipe step {kind.name} {reason}") from error
    for setting, value in step.model_dump().items():
        if value is not None and not isinstance(value, bool | int | float | str):
            raise BadInputError(
                f"recipe step {kind.name} has a setting {setting} of type {type(value).__name__}; "
                "settings are numbers, texts and true or false"
            )
    return step
