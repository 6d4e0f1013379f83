"""One training loop for everything that learns: base models, students, pruned models.

It is written out rather than left to ``model.fit`` so that a classifier's loss sees logits, pruned
weights stay exactly zero after every step, and a small model is not slowed down by Python: a few
steps at a time run as one graph.

Everything random follows from the seed, so that two trainings of one process or of two give the
same weights on one machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from mobilebench.errors import BadInputError, first_line
from mobilebench.models.array import Array
from mobilebench.models.checkpoint import (
    Checkpoint,
    generator_state,
    packed,
    restore,
    restore_generator,
)
from mobilebench.models.compiled import Compiled
from mobilebench.models.objective import Loss, Objective, objective_of
from mobilebench.models.training_settings import TrainingSettings

#: Steps in one graph call at most: masks are updated and progress is reported in between.
_STEPS_A_CALL = 16
#: Bytes of samples in one step at most: 34 images of 224 x 224 x 3. With twice as many, MobileNetV2
#: with its activations and their gradients took more than 7 GiB.
_BYTES_A_BATCH = 20 * 2**20
#: Samples beyond this are named where training diverges: networks like inputs near 1.
_LARGE = 1000.0
#: Samples that are looked at for it.
_LOOKED_AT = 4096
#: Bytes of samples in one graph call at most.
_BYTES_A_CALL = 64 * 2**20


@dataclass(frozen=True)
class Options:
    """What a training step may say of its training; None leaves a thing as it is otherwise.

    Attributes:
        batch: samples in one step.
        optimizer: one of ``OPTIMIZERS``, instead of the model's own, or of Adam.
        learning_rate: the first one; it falls to zero along a cosine.
        validation: the share of the training data that is held out and not learned from.
        early_stopping: after so many epochs without a smaller loss on the held-out samples
            training ends, with the weights of the best.
    """

    batch: int | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    validation: float | None = None
    early_stopping: int | None = None


#: Keras' names of the optimizers that a step can ask for, and their classes.
OPTIMIZERS = {
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "Nadam",
    "adamax": "Adamax",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "sgd": "SGD",
    "lion": "Lion",
}


@dataclass(frozen=True)
class TrainingData:
    """What a training step works with.

    Attributes:
        x: samples (count, *input shape*) float32, or a tuple of them for several inputs, in the
            model's order.
        y: labels (count, …) as they were given, or by output's name or number; None without any.
        settings: how the model is trained.
        seed: of everything random.
        on_epoch: is given the epochs done, also when one is done in part, and the epochs in all.
        weights: (count,) float32, how much each sample counts; None for all alike.
        compiled: the loss and the optimizer that the model was compiled with, if it was.
        task: what the suite says that the model is for; empty if it says nothing.
        by_hand: the user's own loop, called with a model, data and callbacks; None for ours.
        checkpoint: where the training is kept after its epochs, or None.
    """

    x: Array | tuple[Array, ...]
    y: Array | Mapping[str, Array] | None
    settings: TrainingSettings
    seed: int
    on_epoch: Callable[[float, int], None] = field(default=lambda _done, _all: None)
    weights: Array | None = None
    compiled: Compiled | None = None
    task: str = ""
    by_hand: Callable[[Any, Any, Any], Any] | None = None
    checkpoint: Checkpoint | None = None

    @property
    def inputs(self) -> tuple[Array, ...]:
        """The samples of each input."""
        return self.x if isinstance(self.x, tuple) else (self.x,)

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(self.inputs[0])

    @property
    def bytes_a_sample(self) -> int:
        """Of all inputs together."""
        return max(1, sum(int(x[0].nbytes) for x in self.inputs))

    @property
    def batch(self) -> int:
        """How many samples a step of training takes: fewer where they are large."""
        fitting = max(1, _BYTES_A_BATCH // self.bytes_a_sample)
        return min(self.settings.batch, self.count, fitting)

    def samples(self, numbers: Any) -> Any:
        """Some of the samples, as a model takes them: an array, or a list of them."""
        found = [x[numbers] for x in self.inputs]
        return found if len(found) > 1 else found[0]

    def some(self, count: int) -> Array:
        """The numbers of so many samples, chosen by the seed: to judge a network by."""
        return np.sort(np.random.default_rng(self.seed).permutation(self.count)[:count])

    def objective(self, model: Any, loss: Loss | None = None) -> Objective:
        """What a model is trained by on these data; a classifier's loss may be another.

        Raises:
            BadInputError: the labels are none for its outputs.
        """
        return objective_of(model, self.y, loss=loss, compiled=self.compiled, task=self.task)


#: From the share of training that is done (0 to 1): which weights to keep, a mask a kernel.
Masking = Callable[[float], Sequence[Array]]


class Forward(Protocol):
    """How outputs are computed, where they are not simply the model's."""

    def __call__(self, model: Any, samples: Any, *, training: bool) -> Any:
        """The outputs for a batch; nothing of the model changes unless it is in training."""


def chosen(values: tuple[Array, ...], numbers: Any) -> Any:
    """Rows of each output's labels, zeros where it has none: a tuple of several outputs'."""
    found = tuple(
        value[numbers] if len(value) else np.zeros(np.shape(numbers), np.float32)
        for value in values
    )
    return found if len(found) > 1 else found[0]


def fit(
    model: Any,
    training_data: TrainingData,
    *,
    epochs: int,
    learning_rate: float | None = None,
    loss: Loss | None = None,
    kernels: Sequence[Any] = (),
    masking: Masking | None = None,
    codes: Sequence[Array] | None = None,
    forward: Forward | None = None,
    options: Options | None = None,
) -> bool:
    """Trains a Keras model in place.

    Args:
        model: the Keras model.
        training_data: data, settings and seed.
        epochs: passes over the data, at least 1; the last incomplete batch of a pass is left out.
        learning_rate: the first one, instead of the settings' or the options'.
        loss: of a classifier's logits; unless given what the model was compiled with, or what its
            task and labels say.
        kernels: the variables that ``masking`` speaks of, in order.
        masking: asked before every few steps and after the last. Weights that it does not keep
            are set to zero at once and after each step, whatever the optimizer's momentum.
        codes: which weights share a value, a number a weight, in the shape of each kernel: those
            with the same number begin alike and stay so, moved by the mean of their gradients.
        forward: how the outputs are computed, those that are judged by, too; the model unless
            given.
        options: batch, optimizer, validation and early stopping.

    Returns:
        whether it learned anything: some weight changed, and not only because of a mask.

    Raises:
        BadInputError: there are too few samples, the labels are none for the model, or training
            diverged: the loss or a weight is infinite or no number.
    """
    import tensorflow as tf

    options = options or Options()
    if options.batch is not None:
        settings = replace(training_data.settings, batch=options.batch)
        training_data = replace(training_data, settings=settings)
    objective = training_data.objective(model, loss)
    _require_enough(training_data.count, objective.classes)
    random = seed_all(model, training_data.seed)
    learned, held = _held_out(training_data, options)
    batch = min(training_data.batch, len(learned))
    steps = len(learned) // batch
    rate = learning_rate or options.learning_rate
    optimizer = fresh_optimizer(training_data, options, rate, steps * epochs)
    rate = float(optimizer.learning_rate)  # of the model's own, where none is asked for
    variables = model.trainable_variables
    optimizer.build(variables)
    before = [variable.numpy() for variable in variables]
    masks = [tf.Variable(tf.ones(k.shape, tf.bool), trainable=False) for k in kernels]
    tied = {id(k): c for k, c in zip(kernels, codes, strict=True)} if codes is not None else {}

    steps_a_call = _steps_a_call(batch * training_data.bytes_a_sample)
    stopping = _Stopping(options.early_stopping) if held.size else None
    progress = _Progress(
        training_data.checkpoint,
        f"{epochs} epochs of {steps} steps of {batch}, {rate!r}, {options!r}",
        (model, optimizer, random, masking, stopping),
    )
    first = progress.resume()
    done = first * steps
    with objective.outputs_of(model) as call:
        run = _runner(model, call, objective, optimizer, kernels, masks, tied, forward)
        judge = _judge(call, model, objective, training_data, held, forward)
        for epoch in range(first + 1, epochs + 1):
            order = random.permutation(len(learned))[: steps * batch].reshape(steps, batch)
            for start in range(0, steps, steps_a_call):
                keep = None if masking is None else masking(done / (steps * epochs))
                if keep is not None:
                    apply_masks(kernels, keep)
                    for mask, value in zip(masks, keep, strict=True):
                        mask.assign(value)
                part = learned[order[start : start + steps_a_call]]
                value = _called(run, training_data, objective, part, random)
                if not np.isfinite(value):
                    raise _diverged(epoch, epochs, rate, training_data.inputs[0])
                done += len(part)
                training_data.on_epoch(done / steps, epochs)
            if stopping is not None:
                settled = masking is None or getattr(masking, "settled", True)
                if stopping.after(judge(), model, counts=settled):
                    break
            progress.keep(epoch)
    progress.end()
    if stopping is not None:
        stopping.restore(model)
    _settle(kernels, masking, tied)
    if not all(np.isfinite(variable.numpy()).all() for variable in variables):
        raise _diverged(epochs, epochs, rate, training_data.inputs[0])
    return differ(before, variables)


def _settle(kernels: Sequence[Any], masking: Masking | None, tied: Mapping[int, Array]) -> None:
    """The constraints of the end of training."""
    if masking is not None:
        apply_masks(kernels, masking(1.0))
    for kernel in kernels if tied else ():  # the last bit may differ: vectors have ends
        kernel.assign(mean_by_code(kernel.value, tied[id(kernel)]))


def differ(before: Sequence[Array], variables: Sequence[Any]) -> bool:
    """Whether some weight changed, and not only because a mask set it to zero."""
    pairs = zip(before, (variable.numpy() for variable in variables), strict=True)
    return any(bool(((old != new) & (new != 0)).any()) for old, new in pairs)


def _runner(
    model: Any,
    call: Callable[..., Any],
    objective: Objective,
    optimizer: Any,
    kernels: Sequence[Any],
    masks: Sequence[Any],
    tied: Mapping[int, Array],
    forward: Forward | None,
) -> Callable[..., Any]:
    """A graph that takes a few steps on (steps, batch, …) samples; it gives the last loss."""
    import tensorflow as tf

    variables = model.trainable_variables

    @tf.function  # type: ignore[untyped-decorator]
    def run(x: Any, y: Any, weights: Any) -> Any:
        value = tf.constant(0.0)
        first = x if tf.is_tensor(x) else x[0]
        for i in tf.range(tf.shape(first)[0]):
            sample, label = (tf.nest.map_structure(lambda a, i=i: a[i], part) for part in (x, y))
            weight = None if weights is None else weights[i]
            with tf.GradientTape() as tape:
                found = (forward or _plain)(call, sample, training=True)
                value = objective.batch_loss(model, found, label, sample, weight)
            gradients = tape.gradient(value, variables)
            for number, variable in enumerate(variables):
                if id(variable) in tied:
                    gradients[number] = mean_by_code(gradients[number], tied[id(variable)])
            optimizer.apply(gradients, variables)
            for kernel, mask in zip(kernels, masks, strict=True):
                kernel.assign(tf.where(mask, kernel, tf.zeros_like(kernel)))
        return value

    run_: Callable[..., Any] = run
    return run_


def _called(
    run: Callable[..., Any],
    training_data: TrainingData,
    objective: Objective,
    numbers: Array,
    random: np.random.Generator,
) -> Any:
    """The last loss of a few steps on the samples of these numbers (steps, batch)."""
    import tensorflow as tf

    shift, weights = training_data.settings.largest_shift, training_data.weights
    flat = training_data.samples(numbers.ravel())
    if shift:
        flat = shifted(flat, shift, random)
    parts = flat if isinstance(flat, list) else [flat]
    shaped = [tf.constant(x.reshape(*numbers.shape, *x.shape[1:])) for x in parts]
    labels = chosen(objective.labels, numbers)
    try:
        return run(
            shaped if isinstance(flat, list) else shaped[0],
            tf.nest.map_structure(tf.constant, labels),
            None if weights is None else tf.constant(weights[numbers]),
        )
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
        raise BadInputError(
            f"the loss cannot be computed of the model's outputs and these labels: "
            f"{first_line(error)}"
        ) from error


def _require_enough(count: int, classes: int | None) -> None:
    if classes is not None and count < classes:
        there = "is 1 training sample" if count == 1 else f"are {count} training samples"
        raise BadInputError(
            f"there {there} for {classes} classes, which is too few to learn from: give at least "
            "one of each class, and better hundreds"
        )


def _plain(model: Any, samples: Any, *, training: bool) -> Any:
    return model(samples, training=training)


def fresh_optimizer(
    training_data: TrainingData, options: Options, rate: float | None, steps: int | None
) -> Any:
    """The one that was asked for, or the model's own, or Adam; it has learned nothing.

    Args:
        training_data: has the model's own, and the rate unless one is asked for.
        options: may name another.
        rate: the first learning rate, instead of any other.
        steps: after which the rate has fallen to zero; None: it stays.
    """
    import keras

    own = None
    if training_data.compiled is not None and options.optimizer is None:
        own = training_data.compiled.fresh_optimizer()
    rates: Any = rate or training_data.settings.learning_rate
    if steps is not None:
        rates = keras.optimizers.schedules.CosineDecay(rates, steps)
    if own is None:
        return getattr(keras.optimizers, OPTIMIZERS[options.optimizer or "adam"])(rates)
    if rate is not None:
        own = type(own).from_config({**own.get_config(), "learning_rate": rates})
    return own


def _held_out(training_data: TrainingData, options: Options) -> tuple[Array, Array]:
    """The numbers of the samples to learn from, and of those to judge by."""
    numbers = np.arange(training_data.count)
    held = round((options.validation or 0.0) * len(numbers))
    if options.validation is not None and (not held or held == len(numbers)):
        raise BadInputError(
            f"validation={options.validation:g} of {len(numbers)} training samples holds out "
            f"{held}: give more samples, or another share"
        )
    if not held:
        return numbers, numbers[:0]
    order = np.random.default_rng(training_data.seed).permutation(len(numbers))
    return np.sort(order[held:]), np.sort(order[:held])


def _judge(
    call: Callable[..., Any],
    model: Any,
    objective: Objective,
    training_data: TrainingData,
    held: Array,
    forward: Forward | None,
) -> Callable[[], float]:
    """A function that gives the mean loss on the held-out samples, by their weights."""
    import tensorflow as tf

    weights = training_data.weights

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def one(x: Any, y: Any, w: Any) -> Any:
        outputs = (forward or _plain)(call, x, training=False)
        return objective.batch_loss(model, outputs, y, x, w)

    def judge() -> float:
        total = 0.0
        for start in range(0, len(held), training_data.batch):
            part = held[start : start + training_data.batch]
            x, y = training_data.samples(part), chosen(objective.labels, part)
            w = None if weights is None else tf.constant(weights[part])
            total += len(part) * float(one(*tf.nest.map_structure(tf.constant, (x, y)), w))
        return total / len(held)

    return judge


@dataclass
class _Progress:
    """A training under way, as its checkpoint keeps it."""

    checkpoint: Checkpoint | None
    meant_for: str
    parts: tuple[Any, Any, np.random.Generator, Any, Any]

    def resume(self) -> int:
        """The epochs that are done already; everything is as it was after them."""
        kept = None if self.checkpoint is None else self.checkpoint.load(self.meant_for)
        if kept is None:
            return 0
        model, optimizer, random, masking, stopping = self.parts
        restore("model", kept, model.variables)
        restore("optimizer", kept, optimizer.variables)
        restore_generator(random, str(kept["random"]))
        for name, part in (("masking", masking), ("stopping", stopping)):
            if hasattr(part, "restore_state"):
                prefix = f"{name}."
                part.restore_state(
                    {k.removeprefix(prefix): v for k, v in kept.items() if k.startswith(prefix)}
                )
        return int(kept["epoch"])

    def keep(self, epoch: int) -> None:
        """Keeps what was learned in an epoch, if it is time."""
        if self.checkpoint is None or not self.checkpoint.is_due():
            return
        model, optimizer, random, masking, stopping = self.parts
        values: dict[str, Any] = {"epoch": epoch, "random": generator_state(random)}
        values |= packed("model", model.variables) | packed("optimizer", optimizer.variables)
        for name, part in (("masking", masking), ("stopping", stopping)):
            if hasattr(part, "state"):
                values |= {f"{name}.{k}": v for k, v in part.state().items()}
        self.checkpoint.save(self.meant_for, values)

    def end(self) -> None:
        """Forgets it."""
        if self.checkpoint is not None:
            self.checkpoint.remove()


class _Stopping:
    """The best weights so far, by the loss on held-out samples."""

    def __init__(self, patience: int | None) -> None:
        self._patience = patience
        self._best, self._since = np.inf, 0
        self._weights: list[Array] | None = None

    def after(self, loss: float, model: Any, *, counts: bool) -> bool:
        """Whether to stop after an epoch; one that does not count is forgotten."""
        if self._patience is None or not counts:
            return False
        if loss < self._best:
            self._best, self._weights, self._since = loss, model.get_weights(), 0
        else:
            self._since += 1
        return self._since >= self._patience

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"best": self._best, "since": self._since, **packed("w", self._weights or ())}

    def restore_state(self, kept: Mapping[str, Array]) -> None:
        """What :meth:`state` gave."""
        self._best, self._since = float(kept["best"]), int(kept["since"])
        count = sum(name.startswith("w_") for name in kept)
        self._weights = [kept[f"w_{number}"] for number in range(count)] or None

    def restore(self, model: Any) -> None:
        """Gives the model its best weights."""
        if self._weights is not None:
            model.set_weights(self._weights)


def seed_all(model: Any, seed: int) -> np.random.Generator:
    """Seeds everything random: what dropout draws, too, must not depend on what came before."""
    import keras

    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    weights = {id(variable) for variable in model.weights}
    for variable in model.variables:
        if id(variable) not in weights and variable.name == "seed_generator_state":
            drawn = random.integers(0, 2**31, tuple(variable.shape))
            variable.assign(drawn.astype(variable.dtype))
    return random


def _diverged(epoch: int, epochs: int, rate: float, x: Array) -> BadInputError:
    largest = float(np.abs(x[:_LOOKED_AT]).max())
    scale = f", or scale the samples, which reach {largest:.3g}" if largest > _LARGE else ""
    return BadInputError(
        f"training diverged in epoch {epoch} of {epochs}: the loss or the weights are no numbers "
        f"any more; lower the learning rate, which was {rate:g}{scale}"
    )


def doubts(training_data: TrainingData, classes: int | None, labels: Any = None) -> tuple[str, ...]:
    """What makes one doubt that these samples teach a model much: a sentence each.

    Args:
        training_data: the data.
        classes: how many a classifier distinguishes; None of another model.
        labels: class numbers (count,), where the data have them in another form.
    """
    found = []
    count = training_data.count
    if count < training_data.settings.batch:
        found.append(
            f"trained on {count} samples only, less than a batch of "
            f"{training_data.settings.batch}: it may learn them by heart and forget the rest"
        )
    if classes is None:
        return tuple(found)
    y = training_data.y if labels is None else labels
    absent = np.flatnonzero(np.bincount(np.asarray(y).ravel(), minlength=classes) == 0)
    if absent.size:
        which = f"class {absent[0]}" if absent.size == 1 else f"{absent.size} of {classes} classes"
        found.append(f"the training data have no sample of {which}, which it may unlearn")
    return tuple(found)


def mean_by_code(values: Any, codes: Array) -> Any:
    """Each value replaced by the mean of all that have its code; same shape as ``values``."""
    import tensorflow as tf

    numbers = tf.constant(codes.ravel().astype(np.int32))
    flat = tf.reshape(values, (-1,))
    means = tf.math.unsorted_segment_mean(flat, numbers, int(codes.max()) + 1)
    return tf.reshape(tf.gather(means, numbers), codes.shape)


def shifted(x: Array, largest: int, random: np.random.Generator) -> Array:
    """Images moved by up to ``largest`` pixels each way; flat square images are understood."""
    if largest == 0:
        return x
    side = int(np.sqrt(x[0].size))
    padded = np.pad(x.reshape(len(x), side, side), ((0, 0), (largest,) * 2, (largest,) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    rows, columns = random.integers(0, 2 * largest + 1, (2, len(x)))
    moved: Array = windows[np.arange(len(x)), rows, columns]
    return moved.reshape(x.shape)


def _steps_a_call(bytes_a_step: int) -> int:
    return max(1, min(_STEPS_A_CALL, _BYTES_A_CALL // max(1, bytes_a_step)))


def apply_masks(kernels: Sequence[Any], masks: Sequence[Array]) -> None:
    """Sets to zero what masks do not keep."""
    for kernel, mask in zip(kernels, masks, strict=True):
        kernel.assign(np.where(mask, kernel.numpy(), np.float32(0)))
