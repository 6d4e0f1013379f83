"""Images with boxes, and what a detector may answer to them."""

import numpy as np
from mobilebench.models.array import Array


def images(
    draws: np.random.Generator, count: int, most: int, classes: int
) -> tuple[Array, list[Array]]:
    """Labels, and boxes near them of which some are missed, doubled, or of another class."""
    corners = draws.random((count, most, 2)) * 0.6
    truth = np.concatenate([corners, corners + 0.1 + draws.random((count, most, 2)) * 0.3], axis=2)
    numbers = draws.integers(0, classes, (count, most)).astype(float)
    numbers[:, most - 1] = np.where(draws.random(count) < 0.5, -1, numbers[:, most - 1])
    labels = np.concatenate([numbers[..., None], truth], axis=2)
    boxes = np.concatenate([truth, truth], axis=1) + draws.normal(0, 0.03, (count, 2 * most, 4))
    given = np.concatenate([np.abs(numbers)] * 2, axis=1)
    wrong = draws.random(given.shape) < 0.2
    given = np.where(wrong, draws.integers(0, classes, given.shape), given)
    scores = draws.random(given.shape)
    counts = draws.integers(most, 2 * most + 1, count).astype(float)
    return labels, [a.astype(np.float32) for a in (boxes, given, scores, counts)]
