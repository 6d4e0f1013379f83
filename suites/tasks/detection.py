"""Where the digits are, and which: a grid of cells, of which each may find one digit.

``decode`` makes boxes of the grid, as a detector's own post-processing would.
"""

import numpy as np
import pictures

CELLS = 4


def get_calibration_data():
    """Pictures of training digits."""
    return pictures.training(200).pixels


def get_evaluation_data():
    """Pictures of test digits, and two boxes each: class, ymin, xmin, ymax, xmax."""
    found = pictures.evaluation()
    return found.pixels, found.boxes


def decode(grid):
    """Boxes, classes, scores and their count, from (count, cells, cells, 15) logits.

    Of each cell: whether a digit's middle is in it, where within the cell, its height and width,
    and ten scores.
    """
    count = len(grid)
    sure = 1 / (1 + np.exp(-grid[..., 0]))
    rows, columns = np.mgrid[:CELLS, :CELLS]
    middle_y = (rows + np.clip(grid[..., 1], 0, 1)) / CELLS
    middle_x = (columns + np.clip(grid[..., 2], 0, 1)) / CELLS
    height, width = (np.clip(grid[..., n], 0.05, 1) for n in (3, 4))
    boxes = np.stack(
        [middle_y - height / 2, middle_x - width / 2, middle_y + height / 2, middle_x + width / 2],
        axis=-1,
    )
    classes = grid[..., 5:].argmax(axis=-1)
    return [
        boxes.reshape(count, -1, 4).astype(np.float32),
        classes.reshape(count, -1).astype(np.float32),
        sure.reshape(count, -1).astype(np.float32),
        np.full(count, CELLS * CELLS, np.float32),
    ]
