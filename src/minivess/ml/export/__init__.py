"""Export to ONNX, certified by parity with the PyTorch ensemble it came from."""
