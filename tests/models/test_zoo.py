"""The zoo's models are what they are called, and fit their data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mobilebench.models.datasets import load_dataset
from mobilebench.models.zoo import ZOO

#: Parameters, where a paper or a benchmark's reference implementation states them.
PARAMETERS = {
    "lenet-300-100": 266_610,  # 267 k in Han et al. 2016
    "lenet-5": 431_080,  # 431 k in Han et al. 2016
    "autoencoder": 269_992,  # 270 k in MLPerf Tiny
}


@pytest.fixture(scope="module", params=[name for name in ZOO if name != "mobilenet-v2"])
def built(request: pytest.FixtureRequest) -> tuple[str, Any]:
    return request.param, ZOO[request.param].build()


def test_sizes(built: tuple[str, Any]) -> None:
    name, model = built
    if name in PARAMETERS:
        assert model.count_params() == PARAMETERS[name]
    assert len({layer.name for layer in model.layers}) == len(model.layers)


def test_data_fit(built: tuple[str, Any]) -> None:
    name, model = built
    entry = ZOO[name]
    if entry.data in ("fashion-mnist", "random"):  # not on every machine, and none at all
        samples = np.zeros((2, *model.input_shape[1:]), dtype=np.float32)
    else:
        data = load_dataset(entry.data).for_model(
            tuple(model.input_shape[1:]), int(model.output_shape[-1]), scale=entry.levels
        )
        assert data.pool is not None
        samples = data.pool.x[:2]
    answers = np.asarray(model(samples, training=False))
    assert answers.shape == (2, model.output_shape[-1])
    assert np.isfinite(answers).all()


def test_students_answer_what_their_teachers_do() -> None:
    for entry in ZOO.values():
        if entry.student is not None:
            student = ZOO[entry.student]
            assert student.data == entry.data
            assert student.build().output_shape == entry.build().output_shape


def test_normalizations_follow_a_short_training(built: tuple[str, Any]) -> None:
    import keras

    name, model = built
    if ZOO[name].data != "fashion-mnist":
        return
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # 6,000 samples, 3 epochs: a variance of 0.01 must not be the initial 1's remains.
            assert layer.momentum**138 < 1e-3, layer.name
