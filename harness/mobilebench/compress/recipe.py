"""Recipes: ordered chains of compression steps, read from text or from a table.

``distill(T=4, alpha=0.7) → prune(0.8) → int8`` and
``{name = "small", steps = [{step = "distill"}, {step = "prune", sparsity = 0.8}]}``
go through one parser. Nothing is evaluated, and nothing heavy is imported.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mobilebench.compress.step import Step, TrainingStep
from mobilebench.compress.steps.baseline import AsIs, Float32
from mobilebench.compress.steps.cluster import Cluster
from mobilebench.compress.steps.distill import Distill, Student
from mobilebench.compress.steps.fine_tune import FineTune
from mobilebench.compress.steps.low_rank import LowRank
from mobilebench.compress.steps.prune import Prune
from mobilebench.compress.steps.prune_channels import PruneChannels
from mobilebench.compress.steps.quantization_aware import QuantizationAware
from mobilebench.compress.steps.quantize import (
    DynamicInt4,
    DynamicInt8,
    Float16,
    Int8,
    Int16x8,
    IntegerStep,
    WeightOnlyInt4,
    WeightOnlyInt8,
)
from mobilebench.compress.steps.sparse import Sparse
from mobilebench.errors import BadInputError, did_you_mean
from mobilebench.explain import explain_settings, known_settings

ARROW = " → "

_LONGEST_TEXT = 1000
_MOST_STEPS = 20
#: A bare word that Python keeps for itself.
_KEYWORD = re.compile(r"=\s*(global)\b")

#: Every step, in the order in which messages list them. A new technique is added here.
STEPS: dict[str, type[Step]] = {
    step.name: step
    for step in (
        Float32,
        AsIs,
        Float16,
        DynamicInt8,
        DynamicInt4,
        WeightOnlyInt8,
        WeightOnlyInt4,
        Int8,
        Int16x8,
        Prune,
        PruneChannels,
        Distill,
        Student,
        FineTune,
        Cluster,
        LowRank,
        QuantizationAware,
        Sparse,
    )
}

#: What litert-quantizer calls the same things.
_ALIASES: dict[str, tuple[str, dict[str, Any]]] = {
    "static_wi8_ai8": ("int8", {}),
    "static_wi4_ai8": ("int8", {"weight_bits": 4}),
    "static_wi8_ai16": ("int16x8", {}),
    "static_wi4_ai16": ("int16x8", {"weight_bits": 4}),
    "dynamic_wi8_afp32": ("dynamic_int8", {}),
    "dynamic_wi8c_afp32": ("dynamic_int8", {}),
    "dynamic_wi4_afp32": ("dynamic_int4", {}),
    "dynamic_wi4c_afp32": ("dynamic_int4", {}),
    "dynamic_wi4b32_afp32": ("dynamic_int4", {"block": 32}),
    "dynamic_wi4b64_afp32": ("dynamic_int4", {"block": 64}),
    "weight_only_wi8_afp32": ("weight_only_int8", {}),
    "weight_only_wi4_afp32": ("weight_only_int4", {}),
}

#: Its names for what no runtime here can run, or what it leaves undone without a word.
_REFUSED = {
    "dynamic_wi8b32_afp32": "it has blocks for 4-bit weights only, and quantizes nothing here",
    "dynamic_wi8b64_afp32": "it has blocks for 4-bit weights only, and quantizes nothing here",
    "dynamic_wi2b32_afp32": "the runtime refuses 2-bit blocks",
    "dynamic_wi2b64_afp32": "the runtime refuses 2-bit blocks",
}


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
    _check_order(steps)
    text = ARROW.join(step.text() for step in steps)
    return Recipe(name or text, text, steps)


def _read_table(table: Mapping[str, object]) -> tuple[str | None, tuple[Step, ...]]:
    surplus = sorted(str(key) for key in set(table) - {"name", "steps", "recipe"})
    if surplus:
        raise BadInputError(
            f"a recipe table has the unknown key {surplus[0]!r}; it takes name, and recipe or steps"
        )
    name, text, steps = table.get("name"), table.get("recipe"), table.get("steps")
    if name is not None and (not isinstance(name, str) or not name.strip() or len(name) > 100):
        raise BadInputError(f"a recipe's name must be a text of 1 to 100 characters, not {name!r}")
    if (text is None) == (steps is None):
        raise BadInputError(f"recipe {name or ''!r} needs either recipe or steps")
    if text is not None:
        if not isinstance(text, str):
            raise BadInputError(f"recipe {name or ''!r}: recipe must be a text, not {text!r}")
        return name, _steps_of_text(text)
    if not isinstance(steps, Sequence) or isinstance(steps, str):
        raise BadInputError(f"recipe {name or ''!r}: steps must be a list of tables")
    found = []
    for entry in steps:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("step"), str):
            raise BadInputError(
                f'recipe {name or ""!r}: each step must be a table like {{step = "int8"}}, '
                f"not {entry!r}"
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
        raise BadInputError(
            f"{where} cannot be read at {piece!r}; write steps like prune(0.8) or int8(samples=64)"
        ) from error
    raise BadInputError(
        f"{where} cannot be read at {piece!r}; write steps like prune(0.8) or int8(samples=64)"
    )


def _literal(node: ast.expr) -> Any:
    """A number, a text or a bare word; nothing is evaluated."""
    if isinstance(node, ast.Name):
        return node.id
    return ast.literal_eval(node)


def _make_step(name: str, positional: tuple[Any, ...], settings: dict[str, Any]) -> Step:
    if name in _REFUSED:
        raise BadInputError(
            f"recipe step {name!r} of litert-quantizer is not offered: {_REFUSED[name]}; "
            "take dynamic_int4(block=32) or dynamic_int8"
        )
    own_name, implied = _ALIASES.get(name, (name, {}))
    settings = {**implied, **settings}
    kind = STEPS.get(own_name)
    if kind is None:
        hint = did_you_mean(name.lower(), [*STEPS, *_ALIASES])
        raise BadInputError(f"unknown recipe step {name!r}; {hint}known are {', '.join(STEPS)}")
    if positional:
        if not kind.leading or len(positional) > 1 or kind.leading in settings:
            takes = "one value" if kind.leading else "no value"
            raise BadInputError(
                f"{kind.name} takes {takes} without a name; {known_settings(kind.settings())}"
            )
        settings = {kind.leading: positional[0], **settings}
    try:
        return kind.model_validate(settings)
    except ValidationError as error:
        reason = explain_settings(error, kind, kind.settings())
        raise BadInputError(f"recipe step {kind.name} {reason}") from error


def _check_order(steps: Sequence[Step]) -> None:
    if not 1 <= len(steps) <= _MOST_STEPS:
        raise BadInputError(f"a recipe has 1 to {_MOST_STEPS} steps, not {len(steps)}")
    for before, step in itertools.pairwise(steps):
        pair = f"recipe step {step.name} cannot follow {before.name}"
        if "alone" in (before.position, step.position):
            baseline = before if before.position == "alone" else step
            raise BadInputError(
                f"{pair}: {baseline.name} is the baseline and stands alone; "
                "other recipes start from it anyway"
            )
        if isinstance(before, QuantizationAware) and isinstance(step, TrainingStep):
            raise BadInputError(
                f"{pair}: it would train without rounding, so what {before.name} did would be "
                "lost; put a quantizing step after it"
            )
        if before.position == "end":
            raise BadInputError(f"{pair}: {before.name} is how the file is stored; put it last")
        if before.position == "last" and step.position != "end":
            raise BadInputError(
                f"{pair}: {before.name} ends in a quantized .tflite, which cannot be changed "
                "further; put it last"
            )
    _check_training_order(steps)
    _check_rounding(steps)


def _check_training_order(steps: Sequence[Step]) -> None:
    for earlier, step in itertools.combinations(steps, 2):
        reason = _undone(earlier, step)
        if reason:
            raise BadInputError(
                f"recipe step {step.name} cannot come after {earlier.name}: {reason}"
            )
        if _is_idle(earlier, step):
            raise BadInputError(
                f"recipe step {step.text()} changes nothing after {earlier.text()}; "
                "each must go further than the one before"
            )


def _check_rounding(steps: Sequence[Step]) -> None:
    """Training for rounding is for nothing unless the file is then rounded in just that way."""
    for step, after in itertools.zip_longest(steps, steps[1:]):
        if not isinstance(step, QuantizationAware):
            continue
        if not isinstance(after, IntegerStep):
            example = "int8" if step.weight_bits == 8 else "dynamic_int4"
            raise BadInputError(
                f"recipe step {step.text()} trains for integer weights, and none are made: "
                f"write {step.text()}{ARROW}{example}"
            )
        if step.bits_of_weights != after.bits_of_weights:
            dense, convolutions = after.bits_of_weights
            right = step.model_copy(
                update={
                    "weight_bits": dense,
                    "convolution_bits": None if convolutions == dense else convolutions,
                }
            )
            raise BadInputError(
                f"recipe step {step.text()} trains for other bits than {after.text()} stores: "
                f"write {right.text()}{ARROW}{after.text()}"
            )


def _undone(earlier: Step, step: Step) -> str:
    """What a step would undo of an earlier one; empty if nothing."""
    if step.position == "first":
        return f"it trains a fresh student, so what {earlier.name} did would be lost"
    if isinstance(step, PruneChannels) and isinstance(earlier, Prune):
        return (
            f"it would remove channels with the very weights that {earlier.name} kept; remove "
            "channels first, then prune what is left"
        )
    if isinstance(step, LowRank) and isinstance(earlier, Prune):
        return "the two thin layers would have none of the zeros; split first, then prune"
    if isinstance(earlier, Cluster) and isinstance(step, Prune | PruneChannels | LowRank):
        return f"weights that share a value would no longer do so; {step.name} first, then cluster"
    return ""


def _is_idle(before: Step, after: Step) -> bool:
    if isinstance(before, Cluster) and isinstance(after, Cluster):
        return after.clusters >= before.clusters
    if not (isinstance(before, Prune) and isinstance(after, Prune)):
        return False
    if before.sparsity is not None and after.sparsity is not None:
        return after.sparsity <= before.sparsity
    return False
