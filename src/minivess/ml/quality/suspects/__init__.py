"""Which cases have a mask that is probably wrong, and where, by what a predictor that has not seen the case expects."""
