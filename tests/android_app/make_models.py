"""Makes the model of these tests that TensorFlow Lite 2.6 can run; needs TensorFlow.

    python tests/android_app/make_models.py

The desktop library is that old: it runs fully connected layers whose weights have a scale a
channel without complaint, and wrongly. Convolutions of that kind it knows.
"""

import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

FILE = Path(__file__).parent / "models" / "convolution_int8_input.tflite"


def main() -> None:
    keras.utils.set_random_seed(7)
    spread = keras.initializers.RandomNormal(stddev=0.5)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), batch_size=1),
            keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=spread),
            keras.layers.Conv2D(10, 6, kernel_initializer=spread),
            keras.layers.Reshape((10,)),
        ]
    )
    samples = np.random.default_rng(7).random((50, 1, 8, 8, 1), dtype=np.float32)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    FILE.write_bytes(converter.convert())


if __name__ == "__main__":
    main()
