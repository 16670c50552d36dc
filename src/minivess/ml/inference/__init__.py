"""From a volume to probabilities: normalisation, tiling, and predictors made of networks, ensembles or ONNX graphs."""
