"""Converts a PyTorch model by litert-torch; runs in an environment of its own."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from exchange import CALLS, RefusedError, keep_answers, noise, serve

_OPERATOR = re.compile(r"\b((?:aten|torchvision|prims|quantized_decomposed)[.:]+[\w.:]+)")


def convert(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """See exchange.py."""
    path = Path(request["source"])
    module, arguments, names = _exported(path) if path.suffix == ".pt2" else _file(path, request)
    random = np.random.default_rng(request["seed"])
    calls = [arguments]
    for _ in range(CALLS - 1):
        drawn = [
            torch.from_numpy(noise(a.shape, a.numpy().dtype, random))
            if a.is_floating_point()
            else a
            for a in arguments
        ]
        calls.append(drawn)
    with torch.no_grad():
        answers = [_flat(module(*call)) for call in calls]
    try:
        import litert_torch

        edge = litert_torch.convert(module, tuple(arguments))
        edge.export(str(folder / "model.tflite"))
    except Exception as error:  # the converter raises whatever it stumbles over
        text = str(error).strip() or type(error).__name__
        found = _OPERATOR.search(text)
        what = f"operator {found[1]}" if found else text.splitlines()[0]
        raise RefusedError(f"litert-torch cannot convert it: {what}") from error
    keep_answers(folder, _arrays(calls), _arrays(answers))
    outputs = [f"output_{number}" for number in range(len(answers[0]))]
    return {"inputs": names, "outputs": outputs}


def _arrays(rows: list[list[Any]]) -> list[list[Any]]:
    return [[tensor.detach().numpy() for tensor in row] for row in rows]


def _exported(path: Path) -> tuple[Any, list[Any], list[str]]:
    program = torch.export.load(path)
    if not program.example_inputs:
        raise RefusedError(
            "it has no example inputs: export it with torch.export.export(model, args)"
        )
    positional, named = program.example_inputs
    if named:
        raise RefusedError("its inputs are given by name: export it with all of them by position")
    return program.module(), list(positional), list(program.graph_signature.user_inputs)


def _file(path: Path, request: dict[str, Any]) -> tuple[Any, list[Any], list[str]]:
    """get_model() of a Python file, and get_inputs() or the shapes that are given."""
    sys.path.insert(0, str(path.resolve().parent))
    spec: Any = importlib.util.spec_from_file_location(f"mobilebench_model_{path.stem}", path)
    file = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = file
    try:
        spec.loader.exec_module(file)
        if not hasattr(file, "get_model"):
            raise RefusedError("the file must define get_model()")
        module = file.get_model()
        given = file.get_inputs() if hasattr(file, "get_inputs") else None
    except RefusedError:
        raise
    except Exception as error:  # the user's own code
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RefusedError(f"the file failed with {type(error).__name__}: {line}") from error
    if not isinstance(module, torch.nn.Module):
        raise RefusedError(
            f"get_model() gave {type(module).__name__}, and must give a torch.nn.Module"
        )
    module.eval()
    names = [
        name
        for name, parameter in inspect.signature(module.forward).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if given is None:
        names = [n for n in names if n in request["shapes"] or n in request["samples"]] or names[:1]
        only = len(names) == 1
        shapes = [_given(name, request, only) for name in names]
        given = [torch.rand(shape) for shape in shapes]
    arguments = list(given) if isinstance(given, (tuple, list)) else [given]
    if not all(isinstance(a, torch.Tensor) for a in arguments):
        raise RefusedError("get_inputs() must give a tensor, or a tuple of tensors")
    names = (names + [f"input_{i}" for i in range(len(names), len(arguments))])[: len(arguments)]
    return module, arguments, names


def _given(name: str, request: dict[str, Any], only: bool) -> list[int]:
    shape = request["shapes"].get(name) or (only and request["shapes"].get(""))
    sample = request["samples"].get(name) or (only and request["samples"].get(""))
    if not shape and not sample:
        raise RefusedError(
            "nothing says what it takes: define get_inputs() beside get_model(), with a tensor for "
            "each input, or give shapes (--input-shape) or data"
        )
    shape = shape or [1, *(sample or ())]
    return [int(n) for n in shape]


def _flat(answer: Any) -> list[Any]:
    if isinstance(answer, torch.Tensor):
        return [answer]
    values = answer.values() if isinstance(answer, dict) else answer
    return [tensor for each in values for tensor in _flat(each)]


if __name__ == "__main__":
    serve(convert)
