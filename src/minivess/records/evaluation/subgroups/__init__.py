"""Subgroups of cases, and where in a case the errors are: from the rows of an evaluation. Standard library only."""
