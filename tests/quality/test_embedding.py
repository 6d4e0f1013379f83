"""Embeddings, by hand and against scikit-learn's neighbours."""

import numpy as np
import pytest
from mobilebench.models.array import Array
from mobilebench.quality import embedding
from mobilebench.quality.scoring import estimates
from mobilebench.quality.task import QualityError
from mobilebench.quality.tasks import find_task
from sklearn.neighbors import NearestNeighbors

DRAWS = np.random.default_rng(9)


def found(labels: Array, output: Array) -> dict[str, tuple[float, int]]:
    task = find_task(labels, [output], name="embedding")
    scores = estimates(task, task.reduce([output], labels), seed=1)
    return {score.name: (score.value, score.n) for score in scores}


def test_a_target_is_met_by_its_angle() -> None:
    target = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    output = np.array([[3.0, 0.0], [1.0, 0.0], [0.0, 5.0]])
    assert found(target, output) == {"cosine": (pytest.approx((1 + 0 + np.sqrt(0.5)) / 3), 3)}


@pytest.mark.parametrize("batch", [1024, 7])
def test_the_nearest_are_scikit_learns(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_BATCH", batch)
    identity = DRAWS.integers(0, 12, 80)
    identity[0] = 99  # alone: there is nobody to be found
    output = np.eye(16)[identity % 16] + DRAWS.normal(0, 0.5, (80, 16))
    near = NearestNeighbors(n_neighbors=6, metric="cosine").fit(output).kneighbors(output)[1]
    others = [[j for j in row if j != i][:5] for i, row in enumerate(near)]
    mates = [i for i in range(80) if (identity == identity[i]).sum() > 1]
    wanted = {
        f"recall_at_{k}": (
            pytest.approx(np.mean([(identity[others[i][:k]] == identity[i]).any() for i in mates])),
            len(mates),
        )
        for k in (1, 5)
    }
    assert found(identity, output) == wanted


def test_samples_that_are_all_alone_have_no_recall() -> None:
    assert found(np.arange(12), DRAWS.random((12, 4))) == {}


def test_what_is_no_vector_says_why() -> None:
    with pytest.raises(QualityError, match=r"has the shape \[8, 8\] a sample, and is no vector"):
        find_task(np.arange(2), [np.zeros((2, 8, 8))], name="embedding")
    with pytest.raises(QualityError, match=r"has 4 values, and labels \[3\]"):
        find_task(np.zeros((2, 3)), [np.zeros((2, 4))], name="embedding")
