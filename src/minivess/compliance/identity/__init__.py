"""People and services: their keys, roles, signatures and approvals, and the register folded from the log."""
