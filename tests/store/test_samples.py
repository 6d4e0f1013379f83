"""Raw times survive their files."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mobilebench.records.timings import Timings
from mobilebench.store import samples as timings

TIMES = st.lists(st.integers(1, 2**62), max_size=20).map(lambda v: np.array(v, dtype=np.int64))


@st.composite
def trials(draw: st.DrawFn) -> Timings:
    samples = draw(TIMES)
    starts = np.cumsum(samples // 64) if draw(st.booleans()) else samples[:0]
    return Timings(samples, draw(TIMES), starts)


def same(one: Timings, other: Timings) -> bool:
    return all(np.array_equal(array, vars(other)[name]) for name, array in vars(one).items())


@given(st.lists(trials().filter(lambda t: t.samples.size + t.warmup.size > 0), max_size=5))
def test_samples_warm_up_and_starts_survive(tmp_path_factory: object, found: list[Timings]) -> None:
    folder = Path(tmp_path_factory.mktemp("t"))  # type: ignore[attr-defined]
    with pq.ParquetWriter(folder / "t.parquet", timings.schema()) as writer:
        for table in timings.tables((f"r.{n}", t) for n, t in enumerate(found)):
            writer.write_table(table)
    read = list(timings.read_table(folder / "t.parquet"))
    assert [name for name, _ in read] == [f"r.{n}" for n in range(len(found))]
    assert all(same(t, wanted) for (_, t), wanted in zip(read, found, strict=True))
    for number, wanted in enumerate(found):
        part = folder / f"{number}.npy"
        part.write_bytes(timings.to_part(wanted))
        assert same(timings.read_part(part), wanted)


def test_a_trial_is_whole_wherever_the_parts_that_are_read_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [Timings(np.arange(1, n + 1), np.arange(n)) for n in (3, 1, 11, 2)]
    (table,) = timings.tables((f"r.{n}", t) for n, t in enumerate(wanted))
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=10)
    monkeypatch.setattr(timings, "_ROWS_AT_ONCE", 4)
    read = list(timings.read_table(tmp_path / "t.parquet"))
    assert [name for name, _ in read] == ["r.0", "r.1", "r.2", "r.3"]
    assert all(same(found, t) for (_, found), t in zip(read, wanted, strict=True))


def test_a_table_without_starts_is_read(tmp_path: Path) -> None:
    (table,) = timings.tables([("r.0", Timings(np.array([5, 6])))])
    pq.write_table(table.drop_columns(["start"]), tmp_path / "t.parquet")
    ((name, found),) = timings.read_table(tmp_path / "t.parquet")
    assert (name, found.samples.tolist(), found.starts.size) == ("r.0", [5, 6], 0)
