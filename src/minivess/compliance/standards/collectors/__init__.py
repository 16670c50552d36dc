"""What shows each kind of evidence: one module a place to look, and one table of all collectors."""
