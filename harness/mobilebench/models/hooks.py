"""What a user's data file says beside its data: how samples and answers are treated, and scored.

    def prepare(sample): …            a sample as the model takes it, of every set
    def decode(outputs): …            what is scored, made of the model's outputs
    def evaluate(outputs, labels): …  a value a sample, or one number
    evaluate.unit, evaluate.direction, evaluate.margin = "mm", "lower", 0.5
    custom_objects = {"Scale": Scale}   layers and functions of a Keras model's own
    def train(model, data, callbacks): …   trains the model, in place of MobileBench's own loop
    class_weights = {0: 1.0, 1: 5.0}       how much a sample of each class counts in training

``outputs`` is an array (count, …) of a model with one output, and a list of them, in the model's
order, of a model with several. The file is run: it is the user's own code.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np

from mobilebench.errors import BadInputError, first_line
from mobilebench.models.array import Array
from mobilebench.models.inputs import ONLY, Part

Direction = Literal["higher", "lower"]

_FUNCTIONS = ("prepare", "decode", "evaluate", "train")


@dataclass(frozen=True)
class Hooks:
    """The functions of a data file; None where it does not define one.

    Attributes:
        origin: the file, as error messages call it.
        prepare: from a sample (or samples by input) to what the model takes.
        decode: from outputs to what is scored.
        evaluate: from outputs and labels to a value a sample, or one number.
        unit: of what ``evaluate`` gives; empty if it has none.
        direction: which values are better.
        margin: how much worse still passes, in that unit; None if the file does not say.
        custom_objects: classes and functions that Keras needs to read the model, by name.
        train: trains a Keras model with data and callbacks.
        class_weights: how much a sample of each class counts in training; 1 where it says nothing.
    """

    origin: str = ""
    prepare: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None
    evaluate: Callable[[Any, Any], Any] | None = None
    unit: str = ""
    direction: Direction = "higher"
    margin: float | None = None
    custom_objects: Mapping[str, Any] = field(default_factory=dict)
    train: Callable[[Any, Any, Any], Any] | None = None
    class_weights: Mapping[int, float] = field(default_factory=dict)

    def prepared(self, part: Part) -> Part:
        """The samples of a part, each prepared.

        Raises:
            BadInputError: ``prepare`` raises, or gives samples of several shapes.
        """
        if self.prepare is None:
            return part
        made = []
        for number, sample in enumerate(part.samples()):
            try:
                made.append(_arrays(self.prepare(sample)))
            except Exception as error:  # the user's own code
                raise BadInputError(
                    f"{self.origin}: prepare() failed on sample {number} of {part.key} with "
                    f"{type(error).__name__}: {first_line(error)}"
                ) from error
        try:
            inputs = {name: np.stack([arrays[name] for arrays in made]) for name in made[0]}
        except (ValueError, KeyError) as error:
            raise BadInputError(
                f"{self.origin}: prepare() must give every sample the same inputs, in one shape"
            ) from error
        return replace(part, inputs=inputs)

    def decoded(self, outputs: Sequence[Array]) -> list[Array]:
        """What is scored, made of a batch's outputs (count, …).

        Args:
            outputs: in the model's order.

        Raises:
            HookError: ``decode`` raises, or gives no arrays of as many rows.
        """
        if self.decode is None:
            return list(outputs)
        try:
            found = self.decode(outputs[0] if len(outputs) == 1 else list(outputs))
            several = isinstance(found, tuple | list)
            arrays = [np.asarray(one) for one in (found if several else [found])]
        except Exception as error:  # the user's own code
            raise HookError(
                f"{self.origin}: decode() failed with {type(error).__name__}: {first_line(error)}"
            ) from error
        count = len(outputs[0])
        if not arrays or not all(array.ndim and len(array) == count for array in arrays):
            raise HookError(
                f"{self.origin}: decode() must give an array, or a list of arrays, with a row for "
                f"each of the {count} samples"
            )
        return arrays


class HookError(Exception):
    """A user's function that answers need failed: why, in one sentence."""


def read_hooks(source: str | None) -> Hooks:
    """The hooks of a model's data: none unless they are a ``.py`` file.

    Raises:
        BadInputError: the file does not exist or cannot be run, or a hook is none.
    """
    if source is None or Path(source).suffix != ".py":
        return Hooks(source or "")
    path = Path(source)
    if not path.is_file():
        raise BadInputError(f"data file {source} does not exist")
    return hooks_of(load_module(path, source), source)


def hooks_of(module: ModuleType, origin: str) -> Hooks:
    """The hooks that a data file defines.

    Raises:
        BadInputError: one is no function, or what belongs to ``evaluate`` is wrong.
    """
    functions = {name: getattr(module, name, None) for name in _FUNCTIONS}
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise BadInputError(f"{origin}: {name} must be a function")

    def setting(name: str, default: Any) -> Any:
        found = getattr(functions["evaluate"], name, None)
        return getattr(module, name.upper(), default) if found is None else found

    unit, direction = setting("unit", ""), setting("direction", "higher")
    margin = setting("margin", None)
    if not isinstance(unit, str) or len(unit) > 20 or not unit.isprintable():
        raise BadInputError(f"{origin}: the unit of evaluate must be a short text, as 'mm'")
    if direction not in get_args(Direction):
        raise BadInputError(
            f"{origin}: the direction of evaluate must be 'higher' or 'lower', whichever is better"
        )
    if margin is not None and not (
        isinstance(margin, int | float) and np.isfinite(margin) and margin >= 0
    ):
        raise BadInputError(f"{origin}: the margin of evaluate must be a number, 0 or more")
    calls = {name: f and _at_home(f, Path(origin)) for name, f in functions.items()}
    custom = getattr(module, "custom_objects", {})
    if not isinstance(custom, Mapping) or not all(
        isinstance(name, str) and callable(made) for name, made in custom.items()
    ):
        raise BadInputError(
            f"{origin}: custom_objects must be a dictionary of classes or functions by name"
        )
    return Hooks(
        origin,
        **calls,
        unit=unit,
        direction=direction,
        margin=margin,
        custom_objects=custom,
        class_weights=_class_weights(getattr(module, "class_weights", {}), origin),
    )


def registered() -> dict[str, Any]:
    """What is registered with Keras by name; nothing where Keras is not imported."""
    keras = sys.modules.get("keras")
    return {} if keras is None else dict(keras.saving.get_custom_objects())


def _class_weights(given: Any, origin: str) -> dict[int, float]:
    if given is None:
        return {}
    try:
        items = given.items() if isinstance(given, Mapping) else enumerate(given)
        found = {int(number): float(weight) for number, weight in items}
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInputError(
            f"{origin}: class_weights must be a number for each class, as {{0: 1.0, 1: 5.0}}"
        ) from error
    if not all(np.isfinite(weight) and weight >= 0 for weight in found.values()):
        raise BadInputError(f"{origin}: class_weights must be numbers, 0 or more")
    return found


def load_module(path: Path, origin: str) -> ModuleType:
    """Runs a Python file.

    Raises:
        BadInputError: it cannot be read, or raises.
    """
    spec = importlib.util.spec_from_file_location(f"mobilebench_data_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BadInputError(f"{origin} cannot be read as a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for a class's module
    with user_code(path, origin):
        spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def user_code(path: Path, origin: str) -> Iterator[None]:
    """Code of a user's file runs inside.

    Raises:
        BadInputError: it raises, in one sentence.
    """
    with _neighbours(path):
        try:
            yield
        except BadInputError:
            raise
        except (Exception, SystemExit) as error:
            raise BadInputError(
                f"{origin} failed with {type(error).__name__}: {first_line(error)}"
            ) from error


@contextlib.contextmanager
def _neighbours(path: Path) -> Iterator[None]:
    """What lies beside the file can be imported inside."""
    kept_path = list(sys.path)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        yield
    finally:
        sys.path[:] = kept_path


def _arrays(sample: Any) -> dict[str, Array]:
    if isinstance(sample, Mapping):
        return {str(name): np.asarray(value) for name, value in sample.items()}
    return {ONLY: np.asarray(sample)}


def _at_home(function: Callable[..., Any], path: Path) -> Callable[..., Any]:
    """The function, which can import its file's neighbours whenever it is called."""

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        with _neighbours(path):
            return function(*arguments)

    return call
