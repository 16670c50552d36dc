"""Rules that combine the probabilities of an ensemble, one module each."""
