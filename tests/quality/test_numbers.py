"""Real numbers: predictions and reconstructions against scikit-learn and by hand."""

import numpy as np
import pytest
from mobilebench.models.array import Array
from mobilebench.quality.scoring import estimates
from mobilebench.quality.task import QualityError
from mobilebench.quality.tasks import find_task
from sklearn import metrics

DRAWS = np.random.default_rng(6)


def found(
    labels: Array, *outputs: Array, inputs: tuple[Array, ...] = (), name: str = ""
) -> dict[str, float]:
    task = find_task(labels, outputs, inputs, name=name)
    rows = task.reduce(outputs, labels, inputs)
    return {"task": task.name} | {s.name: s.value for s in estimates(task, rows, seed=1)}  # type: ignore[dict-item]


def test_errors_are_scikit_learns_published_example() -> None:
    # mean_absolute_error's, root_mean_squared_error's and r2_score's example.
    labels, output = np.array([3, -0.5, 2, 7]), np.array([[2.5], [0.0], [2], [8]])
    assert found(labels, output) == {
        "task": "regression",
        "mae": 0.5,
        "rmse": pytest.approx(0.612, abs=5e-4),
        "r2": pytest.approx(0.9486, abs=5e-5),
    }


def test_several_values_a_sample_are_scikit_learns_uniform_average() -> None:
    labels = np.array([[0.5, 1], [-1, 1], [7, -6]])
    output = np.array([[0, 2], [-1, 2], [8, -5]])
    assert found(labels, output) == {
        "task": "regression",
        "mae": metrics.mean_absolute_error(labels, output),
        "rmse": pytest.approx(metrics.root_mean_squared_error(labels, output)),
        "r2": pytest.approx(metrics.r2_score(labels, output, multioutput="uniform_average")),
    }
    assert found(labels, output)["mae"] == 0.75  # as its documentation has it


def test_targets_that_never_change_explain_nothing() -> None:
    assert found(np.full(12, 30.5), DRAWS.random((12, 1))).keys() == {"task", "mae", "rmse"}


def test_whole_targets_of_a_single_output_are_a_regression() -> None:
    assert found(np.array([20, 31, 45]), np.array([[21.0], [31.0], [44.0]]))["mae"] == 2 / 3


def test_an_image_is_reconstructed() -> None:
    target = np.zeros((2, 4, 4, 1))
    target[1] = 1
    output = target + np.array([0.1, 0.01]).reshape(2, 1, 1, 1)
    assert found(target + 0.0, output, name="reconstruction") == {
        "task": "reconstruction",
        "mse": pytest.approx((1e-2 + 1e-4) / 2),
        # Of values of 0 to 1: 20 dB and 40 dB.
        "psnr": pytest.approx(30),
    }


@pytest.mark.parametrize(
    ("low", "high", "peak"), [(0, 1, 1), (-1, 1, 2), (0, 255, 255), (-3, 5, 8), (2, 300, 298)]
)
def test_the_peak_is_that_of_the_values(low: float, high: float, peak: float) -> None:
    target = np.linspace(low, high, 32).reshape(2, 4, 4)
    wanted = 20 * np.log10(peak / 0.5)
    assert found(target, target + 0.5, name="reconstruction")["psnr"] == pytest.approx(wanted)


def test_an_error_tells_anomalies_from_the_rest() -> None:
    inputs = DRAWS.random((4, 32)).astype(np.float32)
    error = np.array([0.1, 0.4, 0.35, 0.8]).reshape(4, 1)
    assert found(np.array([0, 0, 1, 1]), inputs + error, inputs=(inputs,)) == {
        "task": "reconstruction",
        # Of the two normal samples: what is an anomaly need not be reconstructed.
        "mse": pytest.approx((0.01 + 0.16) / 2, rel=1e-5),
        "psnr": pytest.approx((20 - 20 * np.log10(0.4)) / 2, rel=1e-4),
        "anomaly_auc": 0.75,
    }


def test_a_constant_target_has_a_psnr() -> None:
    target = np.full((3, 4, 4), 300.0)
    assert found(target, target, name="reconstruction")["psnr"] == 100
    assert np.isfinite(found(target, target + 1, name="reconstruction")["psnr"])


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(QualityError, match=r"has the shape \[8, 8, 3\] a sample, and not the"):
        find_task(np.zeros((2, 8, 8, 1)) + 0.5, [np.zeros((2, 8, 8, 3))])
    with pytest.raises(QualityError, match=r"has the shape \[4\] a sample, and labels \[3\]"):
        find_task(np.full((2, 3), 0.5), [np.zeros((2, 4))])
