"""Quantization-aware training: the network is trained with the rounding of its quantized file.

While it trains on, weights and activations are rounded as the quantizer will round them, and the
gradient goes through as if they were not (straight-through; Jacob et al. 2018, Krishnamoorthi
2018). The result is a float32 model as before, whose weights lose less by rounding; a quantizing
step follows.

Keras 3 has no such training for convolutions, and tensorflow-model-optimization wants Keras 2, so
it is here: rounding by TensorFlow's own fake-quantization operators, in the training loop that all
models share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from mobilebench.compress.step import State, Step, StepContext, TrainingStep, epochs_field
from mobilebench.compress.steps.quantize import IntegerStep
from mobilebench.compress.training.retrain import train_on
from mobilebench.errors import BadInputError, StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mobilebench.models.kernels import Kernel


#: How much of an activation's range one batch replaces.
_MOMENTUM = 0.95


class QuantizationAware(TrainingStep):
    """Trains on with rounded weights and activations; a quantizing step follows.

    Weights are symmetric with one scale an output channel, or one in all where they share their
    values; activations have moving ranges and 8 bits. Depthwise weights have 8 bits whatever the
    others have, as in the file later.
    """

    name: ClassVar[str] = "quantization_aware"
    leading: ClassVar[str] = "epochs"

    epochs: int = epochs_field(5, least=1)
    weight_bits: Literal[4, 8] = Field(8, description="bits of the weights, 4 or 8")
    convolution_bits: Literal[4, 8] | None = Field(
        None, description="bits of the convolutions' weights: weight_bits unless 8 is given"
    )

    @property
    def bits_of_weights(self) -> tuple[int, int]:
        """Of Dense layers' weights, and of convolutions'."""
        return self.weight_bits, self.convolution_bits or self.weight_bits

    def needs_next(self, following: Step | None) -> str:
        """Training for rounding is for nothing unless the file is then rounded in just that way."""
        if isinstance(following, TrainingStep):
            return (
                f"it would train without rounding, so what {self.name} did would be lost; "
                "put a quantizing step after it"
            )
        if not isinstance(following, IntegerStep):
            example = "int8" if self.weight_bits == 8 else "dynamic_int4"
            return (
                f"{self.name} trains for integer weights, and none are made: "
                f"write {self.text()} → {example}"
            )
        if self.bits_of_weights == following.bits_of_weights:
            return ""
        dense, convolutions = following.bits_of_weights
        right = self.model_copy(
            update={
                "weight_bits": dense,
                "convolution_bits": None if convolutions == dense else convolutions,
            }
        )
        return (
            f"{self.text()} trains for other bits than {following.text()} stores: "
            f"write {right.text()} → {following.text()}"
        )

    def train(self, state: State, context: StepContext) -> State:
        """See :meth:`TrainingStep.train`."""
        from mobilebench.compress.pruning.importance import zero_share
        from mobilebench.compress.reach import require_reach
        from mobilebench.models.copies import copy_of
        from mobilebench.models.kernels import prunable

        rounded = with_rounded_activations(state.model)
        sharing = set() if state.codes is None else {id(kernel) for kernel in prunable(rounded)}
        found = _kernels(rounded)
        rounding = {
            id(k.variable): _rounder(k, self._bits(k.layer), sharing=id(k.variable) in sharing)
            for k in found
        }
        if not rounding:
            raise StepError(
                "quantization_aware found no Dense, convolution or recurrent kernel and no "
                "embedding in the model"
            )
        if context.training_data is not None:  # the roundings hide what the model ends in
            try:
                context.training_data.objective(state.model, state.loss)
            except BadInputError as error:
                raise StepError(str(error)) from error
        reached = require_reach(self.text(), rounded, [kernel.variable for kernel in found])
        kernels, warnings = train_on(
            self,
            rounded,
            state,
            context.training_data,
            forward=_Rounding(rounding),
        )
        model = copy_of(state.model)
        _take_weights(model, rounded)
        findings: dict[str, Any] = {
            "rounded_kernels": len(rounding),
            "rounded_of_all_weights": reached,
        }
        if kernels:
            findings["zeros"] = zero_share([kernel.numpy() for kernel in prunable(model)])
        return replace(state, model=model, findings=findings, warnings=warnings)

    def _bits(self, layer: Any) -> int:
        import keras

        if isinstance(layer, keras.layers.DepthwiseConv1D | keras.layers.DepthwiseConv2D):
            return 8
        convolutions = keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv2DTranspose
        if isinstance(layer, convolutions) or "Separable" in type(layer).__name__:
            return self.bits_of_weights[1]
        return self.weight_bits


def round_weights(weights: Any, bits: int, axis: int | None = -1) -> Any:
    """Weights as they will be after quantization; the gradient goes through as if unrounded.

    Args:
        weights: any shape; each slice along ``axis`` has a scale of its own.
        bits: 2 to 16; the whole numbers are symmetric about 0, which stays 0.
        axis: of the output channels; None for one scale in all.
    """
    import tensorflow as tf

    if axis is None:
        return tf.reshape(round_weights(tf.reshape(weights, (-1, 1)), bits), weights.shape)
    last = len(weights.shape) - 1
    order = [i for i in range(last + 1) if i != axis % (last + 1)] + [axis % (last + 1)]
    moved = tf.transpose(weights, order)
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(moved), axis=list(range(last))))
    largest = tf.maximum(largest, 1e-9)
    rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        moved, -largest, largest, num_bits=bits, narrow_range=True
    )
    return tf.transpose(rounded, [order.index(i) for i in range(last + 1)])


def with_rounded_activations(model: Any) -> Any:
    """A copy of the model that rounds activations wherever the quantizer will.

    What becomes one operator in the file (a convolution with its normalization and its
    activation) is rounded once, at its end; what only moves values about is not rounded again,
    and the model's outputs stay float.
    """
    import keras

    if isinstance(model, keras.Sequential):
        plain = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    else:
        plain = model
    left = {layer.name for layer in plain.layers if not _is_rounded(plain, layer)}
    kind = _rounding_layer()

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        output = layer(*args, **kwargs)
        if layer.name in left or "float" not in str(getattr(output, "dtype", "")):
            return output  # such as the mask that an embedding makes of its input
        return kind()(output)

    try:
        copy = keras.models.clone_model(plain, call_function=call)
    except ValueError as error:
        raise StepError("quantization_aware takes Sequential and functional models only") from error
    _take_weights(copy, plain)
    return copy


def _rounding_layer() -> type[Any]:
    import keras
    import tensorflow as tf

    class Rounded(keras.layers.Layer):  # type: ignore[misc]
        """Rounds to 8 bits within a range that follows those of the batches in training."""

        supports_masking = True

        def build(self, _shape: Any) -> None:
            zero = keras.initializers.Zeros()
            self.low = self.add_weight(shape=(), initializer=zero, trainable=False)
            self.high = self.add_weight(shape=(), initializer=zero, trainable=False)

        def call(self, x: Any, training: bool | None = None) -> Any:
            least = tf.minimum(tf.reduce_min(x), 0.0)  # zero is always exact: padding is zeros
            most = tf.maximum(tf.reduce_max(x), 1e-6)
            fresh = tf.equal(self.high.value, 0.0)
            kept = _MOMENTUM if training else 1.0
            low = tf.where(fresh, least, kept * self.low.value + (1 - kept) * least)
            high = tf.where(fresh, most, kept * self.high.value + (1 - kept) * most)
            low, high = tf.stop_gradient(low), tf.stop_gradient(high)
            if training:
                self.low.assign(low)
                self.high.assign(high)
            return tf.quantization.fake_quant_with_min_max_vars(x, low, high, num_bits=8)

    return Rounded


def _is_rounded(model: Any, layer: Any) -> bool:
    """Whether this layer's output is where an operator of the file ends."""
    import keras

    kinds = keras.layers
    moves = (
        kinds.InputLayer, kinds.Flatten, kinds.Reshape, kinds.Permute, kinds.Dropout,
        kinds.ZeroPadding2D, kinds.MaxPooling1D, kinds.MaxPooling2D, kinds.GlobalMaxPooling2D,
        kinds.Softmax, kinds.Embedding,
    )  # fmt: skip
    if isinstance(layer, moves) or layer.name in model.output_names:
        return False
    if getattr(layer, "dtype", "float32") and "int" in str(layer.compute_dtype):
        return False
    followers = [node.operation for node in layer._outbound_nodes]
    fused = (kinds.BatchNormalization, kinds.ReLU, kinds.Activation)
    return not (len(followers) == 1 and isinstance(followers[0], fused))


def _kernels(model: Any) -> list[Kernel]:
    """The kernels that will be quantized: those that can be pruned, and the depthwise ones."""
    import keras

    from mobilebench.models.copies import flat
    from mobilebench.models.kernels import Kernel, kernels_of

    kinds = keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D
    depthwise = [Kernel(x.kernel, x, None) for x in flat(model) if isinstance(x, kinds)]
    return [*kernels_of(model), *depthwise]


def _rounder(kernel: Kernel, bits: int, *, sharing: bool) -> Callable[[Any], Any]:
    import keras
    import tensorflow as tf

    layer, kinds = kernel.layer, keras.layers
    if isinstance(layer, kinds.DepthwiseConv1D | kinds.DepthwiseConv2D):

        def depthwise(weights: Any) -> Any:
            flat = tf.reshape(weights, (*weights.shape[:-2], -1))  # a scale for each pair
            return tf.reshape(round_weights(flat, bits), weights.shape)

        return depthwise
    if sharing and bits == 8:
        return lambda weights: round_weights(weights, bits, axis=None)
    if isinstance(layer, kinds.Embedding):  # a scale in all for 8 bits, one a row for 4
        axis = None if bits == 8 else 0
        return lambda weights: round_weights(weights, bits, axis)
    if isinstance(layer, kinds.Conv2DTranspose):
        return lambda weights: round_weights(weights, bits, -2)

    def outputs(weights: Any) -> Any:
        rows = tf.reshape(weights, kernel.matrix or weights.shape)
        return tf.reshape(round_weights(rows, bits), weights.shape)

    return outputs


@dataclass(frozen=True)
class _Rounding:
    """How outputs are computed; ``rounding`` rounds the kernels of these identities."""

    rounding: Mapping[int, Callable[[Any], Any]]

    def __call__(self, model: Any, samples: Any, *, training: bool) -> Any:
        return _forward(model, samples, self.rounding, training=training)


def _forward(
    model: Any, x: Any, rounding: Mapping[int, Callable[[Any], Any]], *, training: bool
) -> Any:
    """The model's output on rounded weights, with the unrounded ones behind them."""
    weights = [
        rounding[id(variable)](variable.value) if id(variable) in rounding else variable.value
        for variable in model.trainable_variables
    ]
    others = model.non_trainable_variables
    output, states = model.stateless_call(
        weights, [variable.value for variable in others], x, training=training
    )
    for variable, value in zip(others, states, strict=True) if training else ():
        variable.assign(value)
    return output


def _take_weights(model: Any, other: Any) -> None:
    """Takes over the state of layers of the same names."""
    from mobilebench.models.copies import take_state

    sources = {layer.name: layer for layer in other.layers}
    for layer in model.layers:
        if layer.name in sources:
            take_state(layer, sources[layer.name])
