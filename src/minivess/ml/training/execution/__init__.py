"""Where and how the steps of a training run are made: devices, processes, options of a network, and what can fail."""
