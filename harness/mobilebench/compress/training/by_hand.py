"""A user's own training loop, under the constraints of a step: ``train(model, data, callbacks)``.

The model is compiled with what it would be trained by here, so that ``model.fit(data,
callbacks=callbacks)`` does; a loop of one's own calls ``on_train_batch_begin`` and
``on_train_batch_end`` of the callbacks around each step. Between steps masks are applied, shared
values stay shared, and weights are rounded for training for integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mobilebench.errors import BadInputError, first_line
from mobilebench.models.training import (
    Options,
    apply_masks,
    chosen,
    differ,
    fresh_optimizer,
    mean_by_code,
    seed_all,
)

if TYPE_CHECKING:
    from mobilebench.models.array import Array
    from mobilebench.models.objective import Loss, Objective
    from mobilebench.models.training import Forward, Masking, TrainingData


def fit_by_hand(
    model: Any,
    training_data: TrainingData,
    *,
    epochs: int,
    loss: Loss | None = None,
    kernels: Sequence[Any] = (),
    masking: Masking | None = None,
    codes: Sequence[Array] | None = None,
    forward: Forward | None = None,
    options: Options | None = None,
) -> bool:
    """Lets the user's function train a Keras model in place; see ``fit`` for the arguments.

    Returns:
        whether it learned anything: some weight changed, and not only because of a mask.

    Raises:
        BadInputError: the function raises, or leaves weights that are no numbers; or the step
            asks for what only MobileBench's own loop does.
    """
    assert training_data.by_hand is not None
    options = options or Options()
    if loss is not None:
        raise BadInputError(
            "a distillation loss cannot be put into a training loop of one's own: leave train() "
            "out of the data file for recipes that distill"
        )
    if options.validation is not None or options.early_stopping is not None:
        raise BadInputError(
            "validation and early_stopping cannot be put into a training loop of one's own: do "
            "both in train() of the data file, or leave them or train() out"
        )
    seed_all(model, training_data.seed)
    objective = training_data.objective(model)
    batch = min(options.batch or training_data.batch, training_data.count)
    steps = max(1, training_data.count // batch)
    rounding = getattr(forward, "rounding", None)
    constraints = _constraints(
        model, kernels, masking, codes, rounding, epochs, steps, training_data.on_epoch
    )
    variables = model.trainable_variables
    before = [variable.numpy() for variable in variables]
    model.compile(
        optimizer=fresh_optimizer(training_data, options, options.learning_rate, None),
        loss=_loss_for(model, objective),
        loss_weights=_loss_weights(objective),
    )
    try:
        training_data.by_hand(model, _dataset(training_data, objective, batch), [constraints])
    except Exception as error:  # the user's own code
        raise BadInputError(
            f"train() of the data file failed with {type(error).__name__}: {first_line(error)}"
        ) from error
    finally:
        model.optimizer = None
        model.compiled = False
    constraints.finish()
    if not all(np.isfinite(variable.numpy()).all() for variable in variables):
        raise BadInputError("train() of the data file left weights that are no numbers any more")
    return differ(before, variables)


def _dataset(training_data: TrainingData, objective: Objective, batch: int) -> Any:
    """Batches of samples, labels and weights as a ``tf.data.Dataset``, anew in each pass."""
    import tensorflow as tf

    random = np.random.default_rng(training_data.seed)

    def give() -> Iterator[Any]:
        order = random.permutation(training_data.count)
        for start in range(0, len(order) - batch + 1, batch):
            part = order[start : start + batch]
            x, y = training_data.samples(part), chosen(objective.labels, part)
            x = tuple(x) if isinstance(x, list) else x
            weights = training_data.weights
            yield (x, y) if weights is None else (x, y, weights[part])

    first = next(give())
    spec = tf.nest.map_structure(
        lambda one: tf.TensorSpec((None, *one.shape[1:]), one.dtype), first
    )
    made = tf.data.Dataset.from_generator(give, output_signature=spec)
    steps = training_data.count // batch
    return made.apply(tf.data.experimental.assert_cardinality(steps))


def _loss_for(model: Any, objective: Objective) -> Any:
    """The objective as ``model.compile`` takes it: a loss for each output."""
    import keras

    if objective.per_output is not None:
        found = list(objective.per_output)
        return found if len(found) > 1 else found[0]
    is_softmax = objective.is_on_logits and not _gives_logits(model)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=not is_softmax)


def _loss_weights(objective: Objective) -> Any:
    """Those of the outputs' losses, as ``model.compile`` takes them."""
    if objective.loss_weights is None:
        return None
    found = list(objective.loss_weights)
    return found if len(found) > 1 else found[0]


def _gives_logits(model: Any) -> bool:
    from mobilebench.models.objective import ending

    return ending(model) != "softmax"


def _constraints(
    model: Any,
    kernels: Sequence[Any],
    masking: Masking | None,
    codes: Sequence[Array] | None,
    rounding: Any,
    epochs: int,
    steps: int,
    on_epoch: Any,
) -> Any:
    import keras

    class Constraints(keras.callbacks.Callback):  # type: ignore[misc]
        """Keeps weights at zero, shared or rounded; ``epochs`` and ``steps`` are the step's."""

        def __init__(self) -> None:
            super().__init__()
            self.epochs, self.steps = epochs, steps
            self._done = 0
            self._exact: dict[int, tuple[Array, Array]] = {}

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            if masking is not None:
                apply_masks(kernels, masking(min(self._done / (self.epochs * self.steps), 1.0)))
            for variable in self._rounded():
                exact = variable.numpy()
                rounded = np.asarray(rounding[id(variable)](variable.value))
                self._exact[id(variable)] = exact, rounded
                variable.assign(rounded)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            for variable in self._rounded():  # what was learned on rounded weights is of the exact
                if id(variable) in self._exact:
                    exact, rounded = self._exact.pop(id(variable))
                    variable.assign(exact + (variable.numpy() - rounded))
            self._constrain()
            self._done += 1
            on_epoch(min(self._done / self.steps, self.epochs), self.epochs)

        def finish(self) -> None:
            """The constraints of the end of training."""
            self._done = self.epochs * self.steps
            self._constrain()

        def _constrain(self) -> None:
            if masking is not None:
                apply_masks(kernels, masking(min(self._done / (self.epochs * self.steps), 1.0)))
            for kernel, numbers in zip(kernels, codes or (), strict=bool(codes)):
                kernel.assign(mean_by_code(kernel.value, numbers))

        def _rounded(self) -> list[Any]:
            if not rounding:
                return []
            return [v for v in model.trainable_variables if id(v) in rounding]

    return Constraints()
