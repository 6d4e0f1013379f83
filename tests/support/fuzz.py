"""Properties that hold of any input: mutated good ones, and all that once broke something."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"

#: How many times more inputs than by default; ``make soak`` asks for a hundred.
_TIMES = int(os.environ.get("MOBILEBENCH_FUZZ", "1"))


def fuzz(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Runs a test on so many seeds of a mutation, which is given as ``number``."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        patient = settings(
            max_examples=count * _TIMES,
            deadline=None,
            # Another seed is another input: there is nothing to make smaller.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        return patient(given(number=st.integers(0, 2**64 - 1))(test))

    return decorate


def corpus(name: str) -> list[Path]:
    """The inputs that once broke what reads them."""
    return sorted(path for path in (CORPUS / name).iterdir() if path.name != ".keep")


@contextlib.contextmanager
def kept(content: bytes, suffix: str) -> Iterator[None]:
    """Keeps an input that breaks something, to be put into the corpus."""
    try:
        yield
    except BaseException as error:
        descriptor, name = tempfile.mkstemp(suffix, "fuzz-")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        error.add_note(f"the input is kept in {name}; put it into tests/fuzz/corpus")
        raise
