"""Names made of any text."""

import pytest
from mobilebench.text import file_name


@pytest.mark.parametrize(
    ("text", "name"),
    [("a b", "a-b"), ("Ünï", "n"), ("../x", "x"), ("…", "suite"), ("a" * 99, "a" * 60)],
)
def test_any_text_makes_a_name(text: str, name: str) -> None:
    assert file_name(text) == name
