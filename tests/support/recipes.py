"""Recipes that share what they begin with, drawn at random."""

from __future__ import annotations

import random

_STEPS = (("prune(0.5)", "prune(0.8)"), ("cluster(16)", "fine_tune(3)"), ("int8", "float16"))


def some_recipes(draw: random.Random) -> list[str]:
    """One to twelve of them, each once, in alphabetical order."""
    return sorted(
        {
            " → ".join(draw.choice(some) for some in _STEPS if draw.random() < 0.7) or "float32"
            for _ in range(draw.randint(1, 12))
        }
    )
