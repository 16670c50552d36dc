"""Facts of models: architecture, training, calibration, export and bounds of the intended use."""
