"""The on-device agent: loads a .tflite, measures it, and says what it saw.

It needs Python 3.9 and a LiteRT or TFLite runtime with NumPy, and nothing of the host.
"""

__version__ = "0.1.0"
