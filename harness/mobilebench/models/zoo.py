"""The zoo: small models that MobileBench brings along, with the way to train each.

Layers have names of their own, since Keras would number them by what was built before, and the
same weights would make different files.

The digit models follow the two networks that texts on distillation use (784-128-10 teaching
784-64-10) and LeNet-300-100 and LeNet-5 (LeCun et al. 1998, as Han et al. 2016 prune them).
ResNet-8, DS-CNN and the autoencoder are those of MLPerf Tiny (Banbury et al. 2021), with the
inputs of the data that can be had. MobileNetV2 (Sandler et al. 2018) and the autoencoder come with
random weights: their size and latency are valid, their answers are not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mobilebench.errors import BadInputError, did_you_mean
from mobilebench.models.layer_kinds import LayerKind
from mobilebench.models.training_settings import TrainingSettings

#: How the digit models are trained.
_DIGITS = TrainingSettings(epochs=40, learning_rate=5e-3, largest_shift=1)
_LENET = TrainingSettings(epochs=10, learning_rate=2e-3, largest_shift=1)
_LENET_300 = TrainingSettings(epochs=30, learning_rate=2e-3, largest_shift=1)
_CLOTHES = TrainingSettings(epochs=10, batch=128, learning_rate=2e-3, largest_shift=1)
_WORDS = TrainingSettings(epochs=30, batch=32, learning_rate=2e-3)
_MESSAGES = TrainingSettings(epochs=8, batch=32, learning_rate=2e-3)

#: How much of its statistics a normalization keeps at each step. Keras' 0.99 and its MobileNetV2's
#: 0.999 remember the start for thousands of steps, which a part of the data does not have.
_MOMENTUM = 0.95


@dataclass(frozen=True)
class ZooModel:
    """One model of the zoo.

    Attributes:
        build: makes the Keras model with fresh weights; imports TensorFlow.
        layers: the kinds of its layers, which are otherwise known only when it is built.
        data: the dataset it is trained and evaluated with, as a suite would name it.
        training: how it is trained, or None where the random weights stay.
        student: the smaller zoo model that ``distill`` trains unless the suite names one.
        levels: whether it takes 8-bit levels as 0..1; token numbers it takes as they are.
    """

    build: Callable[[], Any]
    layers: tuple[LayerKind, ...]
    data: str
    training: TrainingSettings | None
    student: str | None = None
    levels: bool = True


def _dense(name: str, hidden: int) -> Callable[[], Any]:
    def build() -> Any:
        import keras

        return keras.Sequential(
            [
                keras.Input((784,)),
                keras.layers.Dense(hidden, activation="relu", name="hidden"),
                keras.layers.Dense(10, activation="softmax", name="digit"),
            ],
            name=name,
        )

    return build


def _lenet_300_100() -> Any:
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(300, activation="relu", name="hidden_1"),
            layers.Dense(100, activation="relu", name="hidden_2"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="lenet_300_100",
    )


def _lenet_5() -> Any:
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(20, 5, activation="relu", name="convolution_1"),
            layers.MaxPooling2D(),
            layers.Conv2D(50, 5, activation="relu", name="convolution_2"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(500, activation="relu", name="hidden"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="lenet_5",
    )


def _resnet_8() -> Any:
    """Three stacks of one residual block each, with 16, 32 and 64 filters."""
    import keras
    from keras import layers

    def convolution(x: Any, filters: int, size: int, stride: int, name: str) -> Any:
        x = layers.Conv2D(
            filters, size, stride, padding="same", use_bias=False, name=f"{name}_convolution"
        )(x)
        return layers.BatchNormalization(momentum=_MOMENTUM, name=f"{name}_normalization")(x)

    inputs = keras.Input((28, 28, 1), name="image")
    x = layers.ReLU(name="stem")(convolution(inputs, 16, 3, 1, "stem"))
    for number, (filters, stride) in enumerate(((16, 1), (32, 2), (64, 2)), start=1):
        y = layers.ReLU(name=f"relu_{number}a")(convolution(x, filters, 3, stride, f"{number}a"))
        y = convolution(y, filters, 3, 1, f"{number}b")
        if stride > 1:
            x = convolution(x, filters, 1, stride, f"{number}_shortcut")
        x = layers.ReLU(name=f"relu_{number}b")(layers.Add(name=f"add_{number}")([x, y]))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(
        inputs, layers.Dense(10, activation="softmax", name="class")(x), name="resnet_8"
    )


def _ds_cnn(filters: int, blocks: int) -> Callable[[], Any]:
    """Depthwise separable convolutions over 49 frames of 10 cepstral coefficients."""

    def build() -> Any:
        import keras
        from keras import layers

        def finish(x: Any, name: str) -> Any:
            x = layers.BatchNormalization(name=f"{name}_normalization")(x)
            return layers.ReLU(name=f"{name}_relu")(x)

        inputs = keras.Input((49, 10, 1), name="sound")
        x = layers.Conv2D(
            filters, (10, 4), 2, padding="same", use_bias=False, name="stem_convolution"
        )(inputs)
        x = layers.Dropout(0.2, name="stem_dropout")(finish(x, "stem"))
        for number in range(1, blocks + 1):
            x = layers.DepthwiseConv2D(
                3, padding="same", use_bias=False, name=f"depthwise_{number}_convolution"
            )(x)
            x = finish(x, f"depthwise_{number}")
            x = layers.Conv2D(filters, 1, use_bias=False, name=f"pointwise_{number}_convolution")(x)
            x = finish(x, f"pointwise_{number}")
        x = layers.Dropout(0.4, name="dropout")(x)
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        word = layers.Dense(10, activation="softmax", name="word")(x)
        return keras.Model(inputs, word, name=f"ds_cnn_{filters}")

    return build


def _text_cnn() -> Any:
    """One convolution over word embeddings (Kim 2014), for 32 tokens of 2,048."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((32,), name="tokens"),
            layers.Embedding(2048, 16, name="embedding"),
            layers.Conv1D(32, 3, activation="relu", name="convolution"),
            layers.GlobalMaxPooling1D(name="pool"),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dense(2, activation="softmax", name="spam"),
        ],
        name="text_cnn",
    )


def _autoencoder() -> Any:
    """Five frames of 128 mel bands through a neck of 8: what it cannot restore is unusual."""
    import keras
    from keras import layers

    x = inputs = keras.Input((640,), name="frames")
    for number, width in enumerate((128, 128, 128, 128, 8, 128, 128, 128, 128), start=1):
        x = layers.Dense(width, name=f"dense_{number}")(x)
        x = layers.BatchNormalization(name=f"normalization_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    return keras.Model(inputs, layers.Dense(640, name="restored")(x), name="autoencoder")


def _mobilenet_v2() -> Any:
    """Random weights, but normalizations that fit them.

    As Keras makes it, the signal fades away within 52 layers and every answer is the same, on
    which no check could see whether compression broke the model.
    """
    import keras

    from mobilebench.models.datasets import noise

    model = keras.applications.MobileNetV2(input_shape=(224, 224, 3), weights=None)
    normalizations = [
        layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momentum = [layer.momentum for layer in normalizations]
    for layer in normalizations:
        layer.momentum = 0.0  # take over the statistics of one batch
    model(noise((8, 224, 224, 3), seed=0), training=True)
    for layer, value in zip(normalizations, momentum, strict=True):
        layer.momentum = value
    return model


def _mobilenet_v2_small() -> Any:
    """MobileNetV2 at width 0.35 for 28 × 28 images, doubled so that five strides leave some."""
    import keras
    from keras import layers

    inputs = keras.Input((28, 28, 1), name="image")
    x = layers.UpSampling2D(2, name="double")(layers.ZeroPadding2D(2, name="frame")(inputs))
    model = keras.applications.MobileNetV2(
        input_tensor=x, alpha=0.35, weights=None, classes=10, name="mobilenet_v2_small"
    )
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = _MOMENTUM
    return model


_DENSE: tuple[LayerKind, ...] = ("dense",)
_CONVOLUTIONS: tuple[LayerKind, ...] = ("convolution", "dense")
_SEPARABLE: tuple[LayerKind, ...] = ("convolution", "depthwise", "dense")
_TEXT: tuple[LayerKind, ...] = ("embedding", "convolution", "dense")

ZOO = {
    "digits-teacher": ZooModel(
        _dense("digits_teacher", 128), _DENSE, "mnist-subset", _DIGITS, student="digits-student"
    ),
    "digits-student": ZooModel(_dense("digits_student", 64), _DENSE, "mnist-subset", _DIGITS),
    "lenet-300-100": ZooModel(_lenet_300_100, _DENSE, "mnist-subset", _LENET_300),
    "lenet-5": ZooModel(_lenet_5, _CONVOLUTIONS, "mnist-subset", _LENET),
    "resnet-8": ZooModel(_resnet_8, _CONVOLUTIONS, "fashion-mnist", _CLOTHES),
    "mobilenet-v2-small": ZooModel(_mobilenet_v2_small, _SEPARABLE, "fashion-mnist", _CLOTHES),
    "mobilenet-v2": ZooModel(_mobilenet_v2, _SEPARABLE, "random", None),
    "ds-cnn": ZooModel(_ds_cnn(64, 4), _SEPARABLE, "spoken-digits", _WORDS, student="ds-cnn-small"),
    "ds-cnn-small": ZooModel(_ds_cnn(24, 3), _SEPARABLE, "spoken-digits", _WORDS),
    "text-cnn": ZooModel(_text_cnn, _TEXT, "sms-spam", _MESSAGES, levels=False),
    "autoencoder": ZooModel(_autoencoder, _DENSE, "random", None),
}


def zoo_model(name: str) -> ZooModel:
    """The zoo's model of that name.

    Raises:
        BadInputError: there is none.
    """
    if name not in ZOO:
        hint = did_you_mean(name.lower(), ZOO)
        raise BadInputError(
            f"zoo has no model {name!r}; {hint}{'It' if hint else 'it'} has {', '.join(ZOO)}"
        )
    return ZOO[name]
