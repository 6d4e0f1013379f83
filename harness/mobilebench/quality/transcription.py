"""Texts as answers: errors among words and characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mobilebench.models.array import Array
from mobilebench.quality.task import QualityError, Rows, Task
from mobilebench.quality.values import choose, describe, is_whole, squeezed

# Symbols without a text of their own become characters that no text has.
_PRIVATE = 0xF0000


def encode(texts: Iterable[str]) -> Array:
    """Texts as uint8 (count, longest): UTF-8, padded with 0."""
    coded = [text.encode() for text in texts]
    longest = max(map(len, coded), default=0) or 1
    padded = b"".join(text.ljust(longest, b"\0") for text in coded)
    return np.frombuffer(padded, np.uint8).reshape(len(coded), longest)


def decode(coded: Array) -> Array:
    """Texts of strings, bytes, or rows as ``encode`` makes them: str (count,).

    Raises:
        QualityError: they are no UTF-8.
    """
    if coded.dtype.kind == "U":
        return coded.reshape(len(coded))
    try:
        if coded.dtype.kind == "S":
            return np.char.decode(coded.reshape(len(coded)), "utf-8")
        rows = np.ascontiguousarray(coded.reshape(len(coded), -1), dtype=np.uint8)
        return np.array([row.tobytes().rstrip(b"\0").decode() for row in rows], dtype=np.str_)
    except UnicodeDecodeError as error:
        raise QualityError(f"a text is no UTF-8: {error.reason}") from error


def _are_texts(values: Array) -> bool:
    return values.dtype.kind in "US" or (values.dtype == np.uint8 and values.ndim == 2)


def _fits(labels: Array, outputs: Sequence[Array], _inputs: Sequence[Array]) -> tuple[int, ...]:
    if not _are_texts(labels) and (labels.ndim != 2 or not is_whole(labels)):
        raise QualityError(f"{describe(labels)}, neither texts nor rows of symbols' numbers")

    def why_not(output: Array) -> str:
        if _are_texts(labels):
            if _are_texts(output):
                return ""
            return "is no text, and labels are; give decode(outputs) that returns texts"
        scores = _symbol_scores(output)
        if scores is None:
            return f"has the shape {list(output.shape[1:])} a sample, and not (time, symbols)"
        if int(labels.max(initial=0)) >= scores.shape[2] - 1:
            return (
                f"has {scores.shape[2]} symbols, of which the last is CTC's blank, and labels go "
                f"up to {int(labels.max())}"
            )
        return ""

    return choose(outputs, why_not)


def _symbol_scores(output: Array) -> Array | None:
    """Scores as (count, time, symbols), or None if they are none."""
    scores = squeezed(output)
    return scores if scores.ndim == 3 and scores.dtype.kind == "f" else None


def greedy(scores: Array) -> list[list[int]]:
    """What CTC's best path says: the best symbol at each time, repeats as one, blanks left out.

    Args:
        scores: (count, time, symbols), of which the last symbol is the blank, as in TensorFlow.
    """
    blank = scores.shape[2] - 1
    found = []
    for path in scores.argmax(axis=2):
        changed = np.concatenate([[True], path[1:] != path[:-1]])
        found.append([int(symbol) for symbol in path[changed] if symbol != blank])
    return found


def _rows(outputs: Sequence[Array], labels: Array, _inputs: Sequence[Array]) -> dict[str, Array]:
    try:
        import jiwer
    except ImportError as error:
        raise QualityError(
            "transcription needs jiwer: pip install 'mobilebench[quality]'"
        ) from error
    if _are_texts(labels):
        wanted, found = decode(labels).tolist(), decode(outputs[0]).tolist()
    else:
        scores = _symbol_scores(outputs[0])
        if scores is None:
            raise QualityError("an output is not (time, symbols) a sample")
        wanted = [_as_text(row[row >= 0]) for row in labels.astype(np.int64)]
        found = [_as_text(row) for row in greedy(scores)]
    characters = [jiwer.process_characters(*pair) for pair in zip(wanted, found, strict=True)]
    rows = {
        "character_errors": _errors(characters),
        "characters": _lengths(characters),
    }
    if _are_texts(labels):
        words = [jiwer.process_words(*pair) for pair in zip(wanted, found, strict=True)]
        rows |= {"word_errors": _errors(words), "words": _lengths(words)}
    return rows


def _errors(each: Sequence[object]) -> Array:
    return np.array([o.substitutions + o.deletions + o.insertions for o in each], np.int64)  # type: ignore[attr-defined]


def _lengths(each: Sequence[object]) -> Array:
    return np.array([o.hits + o.substitutions + o.deletions for o in each], np.int64)  # type: ignore[attr-defined]


def _as_text(symbols: Iterable[int]) -> str:
    return "".join(chr(_PRIVATE + int(symbol)) for symbol in symbols)


def _score(rows: Rows) -> dict[str, float]:
    found = {}
    for name, errors, length in (
        ("wer", "word_errors", "words"),
        ("cer", "character_errors", "characters"),
    ):
        if length in rows:
            total = int(rows[length].sum())
            found[name] = float(rows[errors].sum() / total) if total else float("nan")
    return found


TRANSCRIPTION = Task(
    name="transcription",
    metrics=("wer", "cer"),
    fits=_fits,
    rows=_rows,
    score=_score,
)
