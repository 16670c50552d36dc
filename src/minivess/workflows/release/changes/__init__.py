"""Differences, continuation, the plan of changes and revocation of releases."""
