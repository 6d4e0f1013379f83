"""PyTorch and ONNX models, converted in environments of their own."""
