"""Facts of evaluations: measures, criteria, and what is registered before."""
