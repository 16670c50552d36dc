"""Statistics that compare models by independent group, and the number of groups that a claim needs."""
