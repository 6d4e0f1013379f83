"""What of a .tflite is run, and on which shapes: written into the file.

A runtime runs the first subgraph, on the shapes that stand in the file. A file that says both needs
no word to any runtime, app or agent, and none of them can run something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mobilebench.errors import BadInputError, did_you_mean
from mobilebench.records.interface import Interface, TensorInfo
from mobilebench.tflite import interface
from mobilebench.tflite.attached import attach
from mobilebench.tflite.file import dump, load
from mobilebench.tflite.graph import read_whole
from mobilebench.tflite.shapes import shapes_of_all

#: A key of TOML that needs no quotes.
_BARE = re.compile(r"[A-Za-z0-9_-]+")
#: Types that are no real numbers, as the schema calls them.
_NO_NUMBERS = {
    "string": "texts",
    "complex64": "complex numbers",
    "complex128": "complex numbers",
    "resource": "a resource",
    "variant": "a list of tensors",
}
#: So many of a file's names are listed, and so many characters of each.
_MOST, _LONGEST = 20, 100

#: Metadata that numbers the subgraphs and operators of the file as it was.
_NUMBERED = (b"model_control_dependencies",)


def enter(
    content: bytes,
    where: str,
    *,
    signature: str | None = None,
    shapes: Mapping[str, Sequence[int]] = {},
    ready: bool = False,
) -> bytes:
    """The file that runs one signature, on given shapes.

    Args:
        content: the file.
        where: what error messages call it.
        signature: which one runs; None: the first subgraph, as the file has it.
        shapes: of the inputs with open dimensions, with the batch, by name; empty for the only
            one.
        ready: whether it is one of several files that the choice is meant for: what it does not
            have is no mistake then, and its interface is compared with the others' later.

    Returns:
        the file itself where nothing of it is chosen or given.

    Raises:
        BadInputError: it is no .tflite file or a torn one, has no such signature or input, or
            does not run on such a shape.
    """
    if signature is not None:
        names = signatures(content, where)
        if signature in names:
            content = _select(content, signature) if len(names) > 1 else content
        elif not ready or len(names) > 1:
            raise BadInputError(_unknown("signature", signature, names, where))
    return _fix(content, where, shapes, ready) if shapes else content


def signatures(content: bytes, where: str) -> tuple[str, ...]:
    """The names of a file's signatures, the one that runs first.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """

    def read(whole: bytes) -> tuple[str, ...]:
        from ai_edge_litert import schema_py_generated as schema

        model = schema.Model.GetRootAs(whole, 0)
        every = [model.SignatureDefs(i) for i in range(model.SignatureDefsLength())]
        every.sort(key=lambda signature: signature.SubgraphIndex() != 0)
        return tuple((s.SignatureKey() or b"").decode("utf-8", "replace") for s in every)

    return read_whole(content, where, read)


def of_samples(
    taken: Interface, samples: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """The shapes of inputs with open dimensions that samples have, with a batch of one.

    Args:
        taken: the model's interface.
        samples: the shape of one sample by input; empty for the only one.
    """
    found = {}
    for end in taken.inputs:
        shape = samples.get(end.name, samples.get("") if len(taken.inputs) == 1 else None)
        if shape is None or None not in end.shape:
            continue
        # Images of one channel are often stored without it.
        fitting = (s for s in ((1, *shape), (1, *shape, 1)) if _fits(s, end))
        if (first := next(fitting, None)) is not None:
            found[end.name] = first
    return found


def require_fixed(taken: Interface, where: str) -> None:
    """Refuses a model whose speed depends on a shape that nobody gave.

    Raises:
        BadInputError: an input has an open dimension, other than the batch.
    """
    end = taken.open_input
    if end is not None:
        key = end.name if _BARE.fullmatch(end.name) else f'"{end.name}"'
        raise BadInputError(
            f"model {where}: the input {end.name!r} has an open shape {end.shape_text}; give one, "
            f"with a number for each ?: shapes = {{ {key} = {end.shape_text} }} in a suite, or "
            f"--input-shape {end.name}={end.shape_text[1:-1].replace(' ', '')}; or data, whose "
            "samples have one"
        )


def require_numbers(taken: Interface, where: str) -> None:
    """Refuses a model that is to be given something else than real numbers or truth values.

    Raises:
        BadInputError: an input takes texts, complex numbers or a resource.
    """
    for end in taken.inputs:
        what = _NO_NUMBERS.get(end.dtype)
        if what is not None:
            raise BadInputError(
                f"model {where}: the input {end.name!r} takes {what}, which no device is given "
                "here; do what makes numbers of it outside the model, and give a file that takes "
                "those"
            )


def run_as(before: bytes, after: bytes, where: str) -> str:
    """What of a file is run, where it leaves that open; empty where it does not.

    Args:
        before: the file as it was.
        after: as it is run.
        where: what error messages call it.

    Returns:
        like ``signature decode, image [1, 224, 224, 3]``.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """
    then = interface.read(before, where)
    now = interface.read(after, where)
    found = []
    if len(signatures(before, where)) > 1:
        found.append(f"signature {now.signature}")
    if now.signature == then.signature:
        inputs = then.inputs
    else:
        inputs = interface.read(_select(before, now.signature), where).inputs
    found += [
        f"{end.name} {end.shape_text}"
        for end, was in zip(now.inputs, inputs, strict=True)
        if end.shape != was.shape
    ]
    return ", ".join(found)


def not_chosen(content: bytes, where: str) -> str:
    """What to say of a file of several signatures of which nobody chose one; empty for others.

    Raises:
        BadInputError: it is no .tflite file, or a torn one.
    """
    first, *others = signatures(content, where) or ("",)
    if not others:
        return ""
    return (
        f"this is signature {first!r}, the first of its file, which has {_listed(others)}, too: "
        "choose with signature (--signature)"
    )


def _select(content: bytes, name: str) -> bytes:
    """The file with one signature: its subgraph first, then those that this one calls."""
    model = load(content)
    chosen = next(s for s in model.signatureDefs if _text(s.signatureKey) == name)
    order = [int(chosen.subgraphIndex)]
    for index in order:  # grows while it is walked through
        called = (number for _, numbers in _calls(model.subgraphs[index]) for number in numbers)
        order += dict.fromkeys(number for number in called if number not in order)
    number = {old: new for new, old in enumerate(order)}
    for index in order:
        for change, numbers in _calls(model.subgraphs[index]):
            change([number[old] for old in numbers])
    model.subgraphs = [model.subgraphs[index] for index in order]
    chosen.subgraphIndex = 0
    model.signatureDefs = [chosen]
    kept = [entry for entry in model.metadata or () if _bytes(entry.name) not in _NUMBERED]
    model.metadata = kept if model.metadata is not None else None
    _drop_unused(model)
    return attach(dump(model), content)


def _calls(graph: Any) -> Iterator[tuple[Any, list[int]]]:
    """Each place where operators name subgraphs: how to change it, and the numbers there."""
    for operator in graph.operators if graph.operators is not None else ():
        for options in (operator.builtinOptions, operator.builtinOptions2):
            for key, value in vars(options).items() if options is not None else ():
                if "subgraph" not in key.lower() or value is None:
                    continue
                several = np.ndim(value) > 0
                numbers = [int(n) for n in value] if several else [int(value)]
                if all(n >= 0 for n in numbers):
                    yield _setter(options, key, several), numbers


def _setter(options: Any, key: str, several: bool) -> Any:
    return lambda numbers: setattr(options, key, numbers if several else numbers[0])


def _drop_unused(model: Any) -> None:
    """Empties constants and leaves out operators that no remaining subgraph uses."""
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    used |= {entry.buffer for entry in model.metadata or ()}
    used |= {int(i) for i in (model.metadataBuffer if model.metadataBuffer is not None else ())}
    for index, buffer in enumerate(model.buffers):
        if index not in used:
            buffer.data = None
    operators = [o for graph in model.subgraphs for o in graph.operators]
    codes = sorted({operator.opcodeIndex for operator in operators})
    for operator in operators:
        operator.opcodeIndex = codes.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[index] for index in codes]


def _fix(content: bytes, where: str, shapes: Mapping[str, Sequence[int]], ready: bool) -> bytes:
    taken = interface.read(content, where)
    asked = _asked(taken, where, shapes, ready)
    if not asked:
        return content
    model = read_whole(content, where, load)
    graph = model.subgraphs[0]
    for position, shape in asked.items():
        tensor = graph.tensors[graph.inputs[position]]
        tensor.shape, tensor.shapeSignature = np.array(shape, np.int32), None
    if all(None not in end.shape or i in asked for i, end in enumerate(taken.inputs)):
        found = shapes_of_all(model, _described(taken, asked), where)
        for index, static in found.items():
            tensor = graph.tensors[index]
            tensor.shape, tensor.shapeSignature = np.array(static, np.int32), None
    return attach(dump(model), content)


def _asked(
    taken: Interface, where: str, shapes: Mapping[str, Sequence[int]], ready: bool
) -> dict[int, tuple[int, ...]]:
    """The shapes by the input's position, of those that have an open dimension."""
    names = [end.name for end in taken.inputs]
    asked = {}
    for name, shape in shapes.items():
        if not name and len(names) != 1:
            raise BadInputError(
                f"model {where} has {len(names)} inputs ({_listed(names)}): say of which the "
                f"shape {list(shape)} is, as in shapes = {{ {names[0] if names else 'NAME'} = "
                f"{list(shape)} }} (--input-shape NAME={','.join(map(str, shape))})"
            )
        if name and name not in names:
            if ready:
                continue
            raise BadInputError(_unknown("input", name, names, where))
        position = names.index(name) if name else 0
        end = taken.inputs[position]
        if not _fits(shape, end):
            if ready:
                continue
            why = "" if None in end.shape else ", all of it fixed"
            raise BadInputError(
                f"model {where}: the input {end.name!r} is {end.shape_text} in the file{why}, and "
                f"the shape {list(shape)} was given; only what is open can be given"
            )
        if None in end.shape:
            asked[position] = tuple(shape)
    return asked


def _fits(shape: Sequence[int], end: TensorInfo) -> bool:
    return len(shape) == len(end.shape) and all(
        n in (None, given) for n, given in zip(end.shape, shape, strict=True)
    )


def _described(taken: Interface, asked: Mapping[int, tuple[int, ...]]) -> str:
    return ", ".join(f"{taken.inputs[i].name!r} {list(shape)}" for i, shape in asked.items())


def _unknown(what: str, name: str, names: Iterable[str], where: str) -> str:
    names = list(names)
    hint = did_you_mean(name, names)
    has = f"it has {_listed(names)}" if names else f"it names no {what}s"
    return f"model {where} has no {what} {name!r}: {hint}{has}"


def _listed(names: Iterable[str]) -> str:
    shown = [repr(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…") for name in names]
    more = [f"{len(shown) - _MOST} more"] if len(shown) > _MOST else []
    return ", ".join([*shown[:_MOST], *more])


def _text(name: bytes | str | None) -> str:
    return _bytes(name).decode("utf-8", "replace")


def _bytes(name: bytes | str | None) -> bytes:
    return name.encode() if isinstance(name, str) else name or b""
