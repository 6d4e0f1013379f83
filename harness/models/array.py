"""The type of every array that goes into a model or comes out of one."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
