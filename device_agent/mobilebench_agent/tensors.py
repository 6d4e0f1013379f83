"""Values into a model and out of it."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import numpy as np

from mobilebench_agent import indices
from mobilebench_agent.runtime import AgentError


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


def to_input(values: Any, detail: Dict[str, Any]) -> Tuple[Any, int]:
    """Samples in the input's type, and how many of their values had to be clipped.

    Whole numbers go into an integer input as they are. Real numbers are quantized for it:
    q = round(x / scale) + zero_point, clipped to the type's range (LiteRT's 8-bit
    quantization specification).

    Raises:
        AgentError: ``inputs_bad``: numbers that an integer input cannot hold: whole ones beyond its
            range, fractions where it has no scale, or NaN.
    """
    kind = np.dtype(detail["dtype"])
    scale, zero_point = detail["quantization"]
    if kind.kind not in "iu":
        return values.astype(kind), 0
    limits = np.iinfo(kind)
    if values.dtype.kind == "f" and scale:
        if np.isnan(values).any():
            raise AgentError(
                "inputs_bad",
                f"the samples of the model's input {detail['name']!r} have a NaN, which "
                f"{kind.name} cannot hold",
            )
        levels = np.rint(values / scale) + zero_point
        clipped = int(((levels < limits.min) | (levels > limits.max)).sum())
        return np.clip(levels, limits.min, limits.max).astype(kind), clipped
    if values.dtype.kind == "f" and (values != np.rint(values)).any():
        raise AgentError(
            "inputs_bad",
            f"the samples have fractions, and the model's input {detail['name']!r} takes "
            f"{kind.name}",
        )
    if values.size and (values.min() < limits.min or values.max() > limits.max):
        hint = "; give real numbers to have them quantized" if scale else ""
        raise AgentError(
            "inputs_bad",
            f"the samples have whole numbers beyond {limits.min} to {limits.max}, which the "
            f"model's input {detail['name']!r} can hold{hint}",
        )
    return values.astype(kind), 0


def clipping_warnings(clipped: int, count: int, detail: Dict[str, Any]) -> Tuple[str, ...]:
    """A sentence if more than 1 % of all values were clipped."""
    if 100 * clipped <= count:
        return ()
    said = (
        f"at least {100 * clipped // count} % of the values of the samples are beyond the range of "
        f"the model's input {detail['name']!r} and were clipped: are they scaled as it expects?"
    )
    return (said,)


def check_outputs(interpreter: Any) -> None:
    """Raises AgentError if any output holds NaN or infinity."""
    for detail in interpreter.get_output_details():
        values = interpreter.get_tensor(detail["index"])
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise AgentError(
                "output_nan", f"output {detail['name']!r} of the model holds NaN or infinity"
            )
