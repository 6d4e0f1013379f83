"""What models may be for, by name; how each is scored is in ``mobilebench.quality``."""

from __future__ import annotations

#: What a model may be for, by which its answers are scored; ``own``: by its data file's evaluate.
TASKS = (
    "classification",
    "binary",
    "multilabel",
    "regression",
    "segmentation",
    "detection",
    "reconstruction",
    "embedding",
    "transcription",
    "own",
)
