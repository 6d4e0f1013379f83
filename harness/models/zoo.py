"""The zoo: small models that MobileBench brings along, with the way to train each.

Layers have names of their own, since Keras would number them by what was built before, and the
same weights would make different files.

The digit models follow the two networks that texts on distillation use (784-128-10 teaching
784-64-10) and LeNet-5 (LeCun et al. 1998, as Han et al. 2016 prune it). MobileNetV2 (Sandler et
al. 2018) comes with random weights: its speed and size are right, its answers mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.errors import BadInputError
from harness.models.training import TrainingSettings

#: How the digit models are trained.
_DIGITS = TrainingSettings(epochs=40, learning_rate=5e-3, largest_shift=1)
_LENET = TrainingSettings(epochs=10, learning_rate=2e-3, largest_shift=1)


@dataclass(frozen=True)
class ZooModel:
    """One model of the zoo.

    Attributes:
        build: makes the Keras model with fresh weights; imports TensorFlow.
        data: the dataset it is trained and evaluated with, as a suite would name it.
        training: how it is trained, or None where the random weights stay.
        student: the smaller zoo model that ``distill`` trains unless the suite names one.
    """

    build: Callable[[], Any]
    data: str
    training: TrainingSettings | None
    student: str | None = None


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


def _mobilenet_v2() -> Any:
    """Random weights, but normalizations that fit them.

    As Keras makes it, the signal fades away within 52 layers and every answer is the same, on
    which no check could see whether compression broke the model.
    """
    import keras

    from harness.models.datasets import noise

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


ZOO = {
    "digits-teacher": ZooModel(
        _dense("digits_teacher", 128), "mnist-subset", _DIGITS, student="digits-student"
    ),
    "digits-student": ZooModel(_dense("digits_student", 64), "mnist-subset", _DIGITS),
    "lenet-5": ZooModel(_lenet_5, "mnist-subset", _LENET),
    "mobilenet-v2": ZooModel(_mobilenet_v2, "random", None),
}


def zoo_model(name: str) -> ZooModel:
    """The zoo's model of that name.

    Raises:
        BadInputError: there is none.
    """
    if name not in ZOO:
        raise BadInputError(f"zoo has no model {name!r}; it has {', '.join(ZOO)}")
    return ZOO[name]
