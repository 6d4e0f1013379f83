"""Values into a model and out of it."""

from __future__ import annotations

from typing import Any, Dict, Optional

import numpy as np

from device_agent import indices
from device_agent.runtime import AgentError


def fill_with_noise(interpreter: Any, seed: int) -> None:
    """Sets every input to seeded noise, so that two runs see the same values.

    Floats are uniform in [0, 1); 8- and 16-bit integers take their whole range; wider ones
    0 to 99, as TensorFlow's benchmark_model draws them, so that they can be indices. What looks
    up rows of a table stays within it.
    """
    generator = np.random.default_rng(seed)
    rows = indices.table_rows(interpreter)
    for detail in interpreter.get_input_details():
        values = _noise(generator, detail, rows.get(int(detail["index"])))
        interpreter.set_tensor(detail["index"], values)


def _noise(generator: Any, detail: Dict[str, Any], rows: Optional[int]) -> Any:
    kind = np.dtype(detail["dtype"])
    shape = tuple(int(n) for n in detail["shape"])
    if kind.kind == "f":
        return generator.random(shape, dtype=np.float32).astype(kind)
    if kind.kind == "b":
        return generator.integers(0, 2, shape).astype(kind)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        low, high = (limits.min, limits.max) if kind.itemsize <= 2 else (0, 99)
        if rows is not None:
            low, high = 0, min(high, rows - 1)
        return generator.integers(low, high, shape, dtype=kind, endpoint=True)
    raise AgentError(
        "model_unsupported",
        f"no noise can be made for input {detail['name']!r} of type {kind.name}",
    )


def to_input(values: Any, detail: Dict[str, Any]) -> Any:
    """One real-valued sample in the input's type: quantized where the model wants integers.

    q = round(x / scale) + zero_point, clipped to the type's range (LiteRT's 8-bit
    quantization specification).
    """
    kind = np.dtype(detail["dtype"])
    scale, zero_point = detail["quantization"]
    if kind.kind in "iu" and scale:
        limits = np.iinfo(kind)
        values = np.clip(np.rint(values / scale) + zero_point, limits.min, limits.max)
    return values.astype(kind)


def check_outputs(interpreter: Any) -> None:
    """Raises AgentError if any output holds NaN or infinity."""
    for detail in interpreter.get_output_details():
        values = interpreter.get_tensor(detail["index"])
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise AgentError(
                "output_nan", f"output {detail['name']!r} of the model holds NaN or infinity"
            )
