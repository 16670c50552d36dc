"""Risk management file (ISO 14971): levels computed from the plan's matrix, never typed."""
