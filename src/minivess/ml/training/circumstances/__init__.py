"""Where a run is made: devices, layouts in memory, kernels, interruptions."""
