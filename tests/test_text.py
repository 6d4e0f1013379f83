"""Foreign text made safe, and names made of it."""

import pytest
from mobilebench.text import file_name, markdown, plain, printable


@pytest.mark.parametrize(
    ("text", "name"),
    [("a b", "a-b"), ("Ünï", "n"), ("../x", "x"), ("…", "suite"), ("a" * 99, "a" * 60)],
)
def test_any_text_makes_a_name(text: str, name: str) -> None:
    assert file_name(text) == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@everyone look", "@<!-- -->everyone look"),
        ("as in #12, GH-3 and a/b#4", "as in #<!-- -->12, GH-<!-- -->3 and a/b#<!-- -->4"),
        ("https://x.y www.x.y", "https://<!-- -->x.y www.<!-- -->x.y"),
        ("a_b _c_ ~d~", r"a_b \_c\_ \~d\~"),
        ("# a", r"\# a"),
        ("- a", r"\- a"),
        ("> a", r"\> a"),
        ("+0.3 points, 1.5 ms", "+0.3 points, 1.5 ms"),
        ("<img src=x>|[a](b)", r"&lt;img src=x>\|\[a\](b)"),
    ],
)
def test_markup_in_a_name_is_text(text: str, words: str) -> None:
    assert markdown(text) == words


@pytest.mark.parametrize(
    "text", ["\x1b[31m", "\x1b]52;c;aGk=\x07", "\x9b1m", "a\rb", "\u202eabc", "\ud800", "\x00"]
)
def test_nothing_moves_the_cursor_or_turns_the_line(text: str) -> None:
    for made in (plain(text), printable(text), markdown(text)):
        assert made.replace("\n", "").isprintable()
        assert made.encode()


def test_a_text_of_megabytes_is_cut_at_once() -> None:
    assert len(plain("x " * 10**7)) == 1000
