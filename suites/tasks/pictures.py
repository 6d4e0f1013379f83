"""Pictures of two real digits each, with everything that can be asked of them.

MNIST digits of the shipped subset, at half their size, pasted beside each other at random heights:
the strokes are real, the arrangement is composed. Training pictures are made of training digits,
test pictures of test digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

SIZE = 32
DIGIT = 14
CLASSES = 10
#: A pixel of more ink than that belongs to a digit.
_INK = 0.3


@dataclass(frozen=True)
class Pictures:
    """``count`` pictures.

    Attributes:
        pixels: (count, 32, 32, 1) float32, 0 to 1.
        masks: (count, 32, 32) int64: 0 is background, 1 to 10 are the digits 0 to 9.
        boxes: (count, 2, 5) float32: class, ymin, xmin, ymax, xmax; a share of the picture's size.
        present: (count, 10) int64: 1 for each digit that is in the picture.
    """

    pixels: np.ndarray
    masks: np.ndarray
    boxes: np.ndarray
    present: np.ndarray


def digits(part: str) -> tuple[np.ndarray, np.ndarray]:
    """The shipped digits to ``train`` or to ``test`` with: (count, 28, 28), 0 to 1, and classes."""
    with resources.as_file(resources.files("mobilebench.models")) as folder:
        data = np.load(folder / "data" / "mnist_subset.npz")
    return (data[f"x_{part}"] / 255).astype(np.float32), data[f"y_{part}"].astype(np.int64)


@cache
def training(count: int = 6000) -> Pictures:
    """Pictures of training digits."""
    return _compose("train", count, seed=1)


def evaluation(count: int = 500) -> Pictures:
    """Pictures of test digits."""
    return _compose("test", count, seed=2)


def _compose(part: str, count: int, seed: int) -> Pictures:
    whole, labels = digits(part)
    small = whole.reshape(-1, DIGIT, 2, DIGIT, 2).mean(axis=(2, 4))
    random = np.random.default_rng(seed)
    pixels = np.zeros((count, SIZE, SIZE, 1), np.float32)
    masks = np.zeros((count, SIZE, SIZE), np.int64)
    boxes = np.zeros((count, 2, 5), np.float32)
    present = np.zeros((count, CLASSES), np.int64)
    for number in range(count):
        for place in range(2):
            chosen = int(random.integers(len(small)))
            digit, label = small[chosen], int(labels[chosen])
            top = int(random.integers(SIZE - DIGIT + 1))
            left = place * SIZE // 2 + int(random.integers(SIZE // 2 - DIGIT + 1))
            window = np.s_[number, top : top + DIGIT, left : left + DIGIT]
            pixels[window][..., 0] = digit
            ink = digit > _INK
            masks[window][ink] = label + 1
            rows, columns = np.nonzero(ink)
            corners = (
                top + rows.min(), left + columns.min(), top + rows.max() + 1,
                left + columns.max() + 1,
            )  # fmt: skip
            boxes[number, place] = (label, *(corner / SIZE for corner in corners))
            present[number, label] = 1
    return Pictures(pixels, masks, boxes, present)
