"""No compression: the baselines."""

from __future__ import annotations

from typing import ClassVar

from mobilebench.compress.step import BaselineStep


class Float32(BaselineStep):
    """The model as it is, converted to a float32 .tflite."""

    name: ClassVar[str] = "float32"


class AsIs(BaselineStep):
    """A ready .tflite, byte for byte."""

    name: ClassVar[str] = "as_is"
