"""What a model has for a search: which choices of a space are possible, and of use, for it."""

from __future__ import annotations

from mobilebench.errors import BadInputError
from mobilebench.models.datasets import Dataset, load_dataset
from mobilebench.models.layer_kinds import of_operators
from mobilebench.models.sources import Source, find_source, find_student
from mobilebench.models.spec import ModelSpec
from mobilebench.search.aim import Aim
from mobilebench.tflite.graph import parse


def traits_of(spec: ModelSpec, aim: Aim, seed: int) -> frozenset[str]:
    """The traits of a model, its data and the aim: see ``mobilebench.search.space.TRAITS``.

    Raises:
        BadInputError: the model or its data do not exist, are not sound, or have no labels to
            choose by.
    """
    source = find_source(spec.source)
    data = spec.data or (None if source.zoo is None else source.zoo.data)
    raw = load_dataset(data or "random", seed=seed)
    _ensure_labels(raw, spec, given=data is not None)
    found: set[str] = set()
    if source.trainable and source.ends == (1, 1) and raw.train is not None:
        try:
            raw.class_numbers()
            found.add("training")
        except BadInputError:  # labels of another kind: it is not trained
            pass
    if find_student(spec, source) is not None:
        found.add("student")
    if data is not None and (raw.seed is not None or raw.pool is not None):
        found.add("calibration")
    if "download" in aim.measures:
        found.add("download")
    kinds, is_float = _layers(source)
    found |= kinds
    if is_float:
        found.add("float")
    return frozenset(found)


def _ensure_labels(raw: Dataset, spec: ModelSpec, *, given: bool) -> None:
    part = raw.evaluation
    if not given or part is None:
        raise BadInputError(
            f"model {spec.name!r}: a search chooses by quality, and there are no evaluation data: "
            "give --data with x_test and y_test, or get_evaluation_data()"
        )
    labelled = part.labels is not None or part.named or raw.has_score
    if not labelled and spec.task != "reconstruction":
        said = part.reason or f"data {raw.name} have no labels"
        raise BadInputError(f"model {spec.name!r}: a search chooses by quality, and {said}")


def _layers(source: Source) -> tuple[frozenset[str], bool]:
    """The kinds of layers, and whether their weights are numbers that can be quantized."""
    if source.kind == "saved_model":  # its graph is known when it is converted
        return frozenset({"dense", "convolution"}), True
    if source.kind != "tflite":
        return frozenset(source.layer_kinds), True
    operators = parse(source.path.read_bytes(), source.text).operators
    quantized = any(
        tensor.content is not None and (tensor.scales or tensor.blockwise)
        for operator in operators
        for tensor in operator.inputs
        if tensor is not None
    )
    return frozenset(of_operators(operator.kind for operator in operators)), not quantized
