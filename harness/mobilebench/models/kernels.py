"""The kernels of a Keras model: what pruning, clustering and training for integers work on."""

from __future__ import annotations

from typing import Any


def prunable(model: Any) -> list[Any]:
    """The kernels of the model's Dense and convolution layers, nested models included."""
    import keras

    kinds = (
        keras.layers.Dense,
        keras.layers.Conv1D,
        keras.layers.Conv2D,
        keras.layers.Conv3D,
        keras.layers.Conv2DTranspose,
    )
    kernels = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            kernels += prunable(layer)
        elif isinstance(layer, kinds):
            kernels.append(layer.kernel)
    return kernels
