"""What a file's tensors hold, however they are packed."""

from __future__ import annotations

import numpy as np
from mobilebench.tflite.graph import Tensor


def test_packed_integers_are_unpacked_with_their_sign() -> None:
    def tensor(kind: str, content: bytes, count: int) -> Tensor:
        return Tensor(0, "t", (count,), kind, content, 1)

    values = tensor("INT4", bytes([0x21, 0xF8, 0x07]), 5).values()
    assert values is not None
    assert values.tolist() == [1, 2, -8, -1, 7]
    values = tensor("INT2", bytes([0b11_10_01_00]), 4).values()
    assert values is not None
    assert values.tolist() == [0, 1, -2, -1]
    halves = np.array([1.5, -2.0], dtype=np.float32).view(np.uint32) >> 16
    values = tensor("BFLOAT16", halves.astype("<u2").tobytes(), 2).values()
    assert values is not None
    assert values.tolist() == [1.5, -2.0]
    assert tensor("STRING", b"words", 1).values() is None
