"""Synthetic two-photon volumes of blood vessels with known truth."""
