"""The types of whatever goes into a model or comes out of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]

#: What a model takes at once: the values of its only input, or of each input by name.
Sample = Array | Mapping[str, Array]
