"""How a model of the zoo is trained: apart from training itself, which needs NumPy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingSettings:
    """How one model is trained: Adam, with a cosine decay of the learning rate to zero.

    ``largest_shift`` is in pixels: each image is moved at random by that much in either
    direction, anew in each epoch, with zeros moving in.
    """

    epochs: int = 10
    batch: int = 64
    learning_rate: float = 1e-3
    largest_shift: int = 0
