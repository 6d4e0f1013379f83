"""Samples that are read from their file a range at a time."""

from pathlib import Path

import numpy as np
from mobilebench.runs.samples import Samples
from safetensors.numpy import save_file


def test_what_was_read_is_not_held(tmp_path: Path) -> None:
    """A mapped file's pages would count as this process's, as many as there are samples."""
    x, labels = np.arange(60.0).reshape(20, 3), np.arange(20)
    path = tmp_path / "samples.safetensors"
    save_file({"0": x, "labels": labels}, path)
    with Samples(path, "digest", 20, "data").opened() as opened:
        np.testing.assert_array_equal(opened.inputs(5, 9)["0"], x[5:9])
        np.testing.assert_array_equal(opened.labels(18, 20), labels[18:])
        assert (opened.input_bytes, opened.label_bytes) == (24, 8)
        assert str(path) not in Path("/proc/self/maps").read_text("utf-8")
