"""Real numbers as answers: predicted values, and reconstructed samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobilebench.models.array import Array
from mobilebench.quality.area import area_under_curve, codes
from mobilebench.quality.task import QualityError, Rows, Task
from mobilebench.quality.values import choose, describe, is_yes_or_no, squeezed

#: Beyond so many values a sample they are no longer kept one by one.
_MOST_TARGETS = 4096

#: The PSNR of a sample without an error, in dB.
LARGEST_PSNR_DB = 100.0


def _regression_fits(
    labels: Array, outputs: Sequence[Array], _inputs: Sequence[Array]
) -> tuple[int, ...]:
    wanted = squeezed(labels)
    if labels.dtype.kind not in "biuf" or wanted.ndim > 2:
        raise QualityError(f"{describe(labels)}, and not a number or a row of them")
    if wanted.ndim == 2 and wanted.shape[1] > _MOST_TARGETS:
        raise QualityError(f"{describe(labels)}, and regression takes {_MOST_TARGETS} at most")

    def why_not(output: Array) -> str:
        if squeezed(output).shape[1:] == wanted.shape[1:]:
            return ""
        return (
            f"has the shape {list(output.shape[1:])} a sample, and labels {list(labels.shape[1:])}"
        )

    return choose(outputs, why_not)


def _regression_rows(
    outputs: Sequence[Array], labels: Array, _inputs: Sequence[Array]
) -> dict[str, Array]:
    target = labels.reshape(len(labels), -1).astype(np.float64)
    return {"target": target, "error": outputs[0].reshape(target.shape) - target}


def _regression_score(rows: Rows) -> dict[str, float]:
    """Each the mean over the values of a sample, as scikit-learn's ``uniform_average``."""
    error, target = rows["error"], rows["target"]
    squared = (error**2).mean(axis=0)
    spread = target.var(axis=0)
    varied = spread > 0
    explained = 1 - squared[varied] / spread[varied]
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt(squared).mean()),
        "r2": float(explained.mean()) if explained.size else float("nan"),
    }


REGRESSION = Task(
    name="regression",
    metrics=("mae", "rmse", "r2"),
    fits=_regression_fits,
    rows=_regression_rows,
    score=_regression_score,
)


def marks_anomalies(labels: Array) -> bool:
    """Whether labels say of each sample whether it is an anomaly: 1 or 0."""
    return squeezed(labels).ndim == 1 and is_yes_or_no(labels)


def _reconstruction_fits(
    labels: Array, outputs: Sequence[Array], inputs: Sequence[Array]
) -> tuple[int, ...]:
    if marks_anomalies(labels):
        shapes = {squeezed(taken).shape[1:] for taken in inputs}
        if not shapes:
            raise QualityError("labels mark anomalies, and there are no inputs to compare with")
        what = "no input"
    elif labels.dtype.kind in "biuf":
        shapes, what = {squeezed(labels).shape[1:]}, "not the labels"
    else:
        raise QualityError(f"{describe(labels)}, and no sample to be reconstructed")

    def why_not(output: Array) -> str:
        if squeezed(output).shape[1:] in shapes:
            return ""
        return f"has the shape {list(output.shape[1:])} a sample, and {what} has that"

    return choose(outputs, why_not)


def _reconstruction_rows(
    outputs: Sequence[Array], labels: Array, inputs: Sequence[Array]
) -> dict[str, Array]:
    anomaly: Array | None = None
    found = squeezed(outputs[0])
    target = labels
    if marks_anomalies(labels) and found.ndim > 1:
        anomaly = squeezed(labels) == 1
        fitting = [taken for taken in inputs if squeezed(taken).shape[1:] == found.shape[1:]]
        if not fitting:
            raise QualityError("labels mark anomalies, and no input has the output's shape")
        target = fitting[0]
    wanted = target.reshape(len(found), -1).astype(np.float64)
    rows = {
        "mse": ((found.reshape(wanted.shape) - wanted) ** 2).mean(axis=1),
        "lowest": wanted.min(axis=1),
        "highest": wanted.max(axis=1),
    }
    return rows if anomaly is None else {**rows, "anomaly": anomaly}


def peak(lowest: float, highest: float) -> float:
    """The range of 0..1, -1..1 or 0..255 that holds the values, else their own: PSNR's peak."""
    for low, high in ((0, 1), (-1, 1), (0, 255)):
        if low <= lowest and highest <= high:
            return float(high - low)
    return (highest - lowest) or 1.0


def _reconstruction_gather(rows: Rows) -> Rows:
    signal = peak(float(rows["lowest"].min()), float(rows["highest"].max())) ** 2
    error = np.maximum(rows["mse"], signal * 10 ** (-LARGEST_PSNR_DB / 10))
    found = {"mse": rows["mse"], "psnr": 10 * np.log10(signal / error)}
    if "anomaly" in rows:
        found |= {"anomaly": rows["anomaly"], "code": codes(rows["mse"])}
    return found


def _reconstruction_score(rows: Rows) -> dict[str, float]:
    if "anomaly" not in rows:
        return {"mse": float(rows["mse"].mean()), "psnr": float(rows["psnr"].mean())}
    normal = ~rows["anomaly"]
    any_normal = bool(normal.any())
    return {
        "mse": float(rows["mse"][normal].mean()) if any_normal else float("nan"),
        "psnr": float(rows["psnr"][normal].mean()) if any_normal else float("nan"),
        "anomaly_auc": area_under_curve(rows["code"], rows["anomaly"]),
    }


RECONSTRUCTION = Task(
    name="reconstruction",
    metrics=("mse", "psnr", "anomaly_auc"),
    fits=_reconstruction_fits,
    rows=_reconstruction_rows,
    score=_reconstruction_score,
    gather=_reconstruction_gather,
)
