"""How good a segmentation is: overlap, topology, surfaces, calibration, intervals, baseline, criteria and figures."""
