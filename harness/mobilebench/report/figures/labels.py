"""Where to write a point's label so that no two labels, and no label and point, overlap."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Directions tried around a point, the best to read first: above right, right, above, and so on.
_ANGLES = (45, 0, 90, 315, 135, 270, 180, 225)
_RADII = (9.0, 13.0, 19.0, 27.0, 37.0, 49.0, 63.0)
_POINT = 4.5


@dataclass(frozen=True)
class Place:
    """The centre of a point or label, in typographic points; ``far`` asks for a leading line."""

    x: float
    y: float
    far: bool = False


Box = tuple[float, float, float, float]


def place_labels(
    points: Sequence[Place], sizes: Sequence[tuple[float, float] | None], frame: Box
) -> list[Place | None]:
    """Gives each point's label the nearest free place, in the order of the points.

    Args:
        points: the points, all of which are kept free.
        sizes: width and height of each label; None for a point that gets none.
        frame: left, bottom, right, top of the area to stay inside.

    Returns:
        The centre of each label, or None where there is no room for it.
    """
    taken = [_box(point, 2 * _POINT, 2 * _POINT) for point in points]
    places: list[Place | None] = []
    for number, (point, size) in enumerate(zip(points, sizes, strict=True)):
        if size is None:
            places.append(None)
            continue
        width, height = size
        candidates = [
            Place(
                point.x + (radius + width / 4) * math.cos(math.radians(angle)),
                point.y + radius * math.sin(math.radians(angle)),
                far=radius > _RADII[1],
            )
            for radius in _RADII
            for angle in _ANGLES
        ]
        others = [box for other, box in enumerate(taken) if other != number]
        free = (
            place
            for place in candidates
            if _inside(box := _box(place, width, height), frame)
            and not any(_overlap(box, other) for other in others)
            and not _overlap(box, _box(point, _POINT, _POINT))
        )
        place = next(free, None)
        places.append(place)
        if place is not None:
            taken.append(_box(place, width, height))
    return places


def _box(centre: Place, width: float, height: float) -> Box:
    return (
        centre.x - width / 2,
        centre.y - height / 2,
        centre.x + width / 2,
        centre.y + height / 2,
    )


def _inside(box: Box, frame: Box) -> bool:
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
