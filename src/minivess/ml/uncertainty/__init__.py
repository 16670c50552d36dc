"""Temperature scaling, reliability and conformal risk control, fitted on the calibration part alone."""
