from mobilebench.runs.compress_files import _slug


def test_file_names_are_short_and_different() -> None:
    assert _slug("prune(0.8) → int8") == "prune-0.8-int8"
    long = "prune(0.1, epochs=1) → " * 19
    names = {_slug(long + "int8"), _slug(long + "float16")}
    assert len(names) == 2
    assert max(map(len, names)) < 200
