"""What sizes of a variant are called, beside those by packing."""

#: The ``.tflite`` file as it is on the device.
FILE = "file"
