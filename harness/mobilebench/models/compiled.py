"""What a Keras model was compiled with: its loss, optimizer and metrics, as its file has them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilebench.errors import BadInputError, first_line


@dataclass(frozen=True)
class Compiled:
    """What a model was compiled with.

    Attributes:
        loss: one, or one for each output, in a list or by name; None if there is none.
        loss_weights: of each output; None for 1.
        optimizer: its configuration, from which a fresh one is made; None if there is none.
    """

    loss: Any
    loss_weights: Any
    optimizer: Any

    def by_output(self, names: Sequence[str]) -> tuple[list[Any], list[float]]:
        """The loss of each output, None where it has none, and its weight.

        Raises:
            BadInputError: it has a loss for an output that the model does not have.
        """
        losses = [_loss(one) for one in _spread(self.loss, names, every=True)]
        weights = _spread(self.loss_weights, names, every=False)
        return losses, [1.0 if weight is None else float(weight) for weight in weights]

    def fresh_optimizer(self) -> Any:
        """The optimizer with nothing learned; None if the model has none."""
        import keras

        if self.optimizer is None:
            return None
        made = keras.saving.deserialize_keras_object(self.optimizer)
        return getattr(made, "inner_optimizer", made)  # what scales the loss is for float16


def read_compiled(path: Path) -> Compiled | None:
    """What the model of a .keras file was compiled with; None if it was not.

    Raises:
        BadInputError: its loss or optimizer needs code that is not there.
    """
    import keras

    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json")).get("compile_config")
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    try:
        found = {
            key: keras.saving.deserialize_keras_object(config[key], safe_mode=True)
            for key in ("loss", "loss_weights")
            if config.get(key) is not None
        }
        compiled = Compiled(found.get("loss"), found.get("loss_weights"), config.get("optimizer"))
        compiled.fresh_optimizer()
    except Exception as error:  # Keras raises whatever the configuration provokes
        raise BadInputError(
            f"model {path.name} was compiled with a loss or an optimizer that Keras cannot make "
            f"again ({first_line(error)}): name its code in the data file's custom_objects, or "
            "save the model compiled with others"
        ) from error
    return compiled


def _spread(given: Any, names: Sequence[str], *, every: bool) -> list[Any]:
    """One thing for each output, of what may be one for all, a list, or by name."""
    if isinstance(given, Mapping):
        unknown = set(given) - set(names)
        if unknown:
            raise BadInputError(
                f"the model was compiled for outputs {', '.join(sorted(given))}, and it has "
                f"{', '.join(names)}"
            )
        return [given.get(name) for name in names]
    if isinstance(given, list | tuple):
        return [*given, *[None] * len(names)][: len(names)]
    return [given if every or len(names) == 1 else None for _ in names]


def _loss(given: Any) -> Any:
    """A loss of Keras, which takes labels, outputs and sample weights."""
    import keras

    found = keras.losses.get(given)
    if found is None or isinstance(found, keras.losses.Loss):
        return found
    name = getattr(found, "__name__", "loss")
    if found is getattr(keras.losses, name, None):  # not one of the user's that is called alike
        kind = getattr(keras.losses, "".join(part.title() for part in name.split("_")), None)
        if isinstance(kind, type) and kind is not keras.losses.Loss:
            return kind()

    class Own(keras.losses.Loss):  # type: ignore[misc]
        """A function of the user's, averaged over the batch."""

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return found(y_true, y_pred)

    return Own(name=name)
