"""Checks of an evidence pack that need its log: layout, proofs and lineage."""
