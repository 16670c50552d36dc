"""Use cases about risks: the risk file and the drill of risk controls."""
