"""ONNX graphs of networks."""
