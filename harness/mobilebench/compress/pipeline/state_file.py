"""A state on disk: what a training step made, so that an interrupted recipe goes on from there.

It is an ordinary ``.keras`` file with two more entries: ``decided.npz`` (which weights pruning
kept, which share a value) and ``findings.json`` (findings and warnings). A loss is a function and
is not in it; it follows from the recipe.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.compress.step import State

_DECIDED = "decided.npz"
_FINDINGS = "findings.json"


def write_state(state: State, path: Path) -> None:
    """Writes everything but the loss.

    Raises:
        Exception: Keras cannot write the model, in whatever words; or the disk is full.
    """
    state.model.save(path)
    decided: dict[str, Any] = {
        f"{what}_{number}": array
        for what, arrays in (("kept", state.kept), ("codes", state.codes))
        for number, array in enumerate(arrays or ())
    }
    content = io.BytesIO()
    np.savez_compressed(content, **decided)
    document = {
        "findings": state.findings,
        "warnings": state.warnings,
        "kept": None if state.kept is None else len(state.kept),
        "codes": None if state.codes is None else len(state.codes),
    }
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(_DECIDED, content.getvalue())
        archive.writestr(_FINDINGS, json.dumps(document, ensure_ascii=False, allow_nan=False))


def read_state(path: Path) -> State:
    """The state of a file, without a loss.

    Raises:
        Exception: Keras cannot read the model, in whatever words.
    """
    import keras

    from mobilebench.compress.lowrank.projections import thin_attention

    thin_attention()  # a layer of ours, which Keras reads by its name
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    with zipfile.ZipFile(path) as archive:
        document = json.loads(archive.read(_FINDINGS))
        with np.load(io.BytesIO(archive.read(_DECIDED)), allow_pickle=False) as decided:
            kept, codes = (
                None
                if document[what] is None
                else tuple(decided[f"{what}_{number}"] for number in range(document[what]))
                for what in ("kept", "codes")
            )
    return State(
        model,
        kept=kept,
        findings=document["findings"],
        warnings=tuple(document["warnings"]),
        codes=codes,
    )
