"""Converts an ONNX model by onnx2tf; runs in an environment of its own."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from exchange import CALLS, RefusedError, fixed_shape, keep_answers, noise, serve

#: Ranks of images and signals, whose channels onnx2tf would move to the end.
_CHANNELS_FIRST = (3, 4, 5)
_FIRST_SEEN = re.compile(r"onnx_op_type: *(\w+)")


def convert(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """See exchange.py."""
    path = Path(request["source"])
    try:
        onnx.checker.check_model(str(path))
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnx and its runtime raise whatever the file provokes
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RefusedError(f"it cannot be read as ONNX: {line}") from error
    taken = session.get_inputs()
    shapes: dict[str, list[int]] = {}
    types: dict[str, np.dtype[Any]] = {}
    for end in taken:
        shape = [n if isinstance(n, int) and n > 0 else None for n in end.shape]
        shapes[end.name] = fixed_shape(end.name, shape, request, len(taken) == 1)
        types[end.name] = _dtype(end)
    random = np.random.default_rng(request["seed"])
    calls = [[noise(shapes[n], types[n], random) for n in shapes] for _ in range(CALLS)]
    answers = [session.run(None, dict(zip(shapes, call, strict=True))) for call in calls]
    said = io.StringIO()
    try:
        import onnx2tf

        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            onnx2tf.convert(
                input_onnx_file_path=str(path),
                output_folder_path=str(folder / "made"),
                overwrite_input_shape=[
                    f"{name}:{','.join(map(str, shape))}" for name, shape in shapes.items()
                ],
                keep_ncw_or_nchw_or_ncdhw_input_names=[
                    name for name, shape in shapes.items() if len(shape) in _CHANNELS_FIRST
                ],
                copy_onnx_input_output_names_to_tflite=True,
                output_signaturedefs=True,
                not_use_onnxsim=True,
            )
    except (Exception, SystemExit) as error:  # it exits where it stumbles
        operators = _FIRST_SEEN.findall(said.getvalue())
        reason = (str(error).strip() or "it stopped").splitlines()[0]
        what = f"operator {operators[-1]}" if operators else reason
        raise RefusedError(f"onnx2tf cannot convert it: {what}") from error
    (made,) = (folder / "made").glob("*_float32.tflite")
    made.replace(folder / "model.tflite")
    keep_answers(folder, calls, answers)
    return {"inputs": list(shapes), "outputs": [end.name for end in session.get_outputs()]}


def _dtype(end: Any) -> np.dtype[Any]:
    name = end.type.removeprefix("tensor(").removesuffix(")")
    name = {"float": "float32", "double": "float64"}.get(name, name)
    try:
        found: np.dtype[Any] = np.dtype(name)
    except TypeError:
        raise RefusedError(
            f"its input {end.name!r} takes {end.type}, which is no array of numbers"
        ) from None
    return found


if __name__ == "__main__":
    serve(convert)
