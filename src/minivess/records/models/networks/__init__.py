"""Specifications of networks: one record a family, and the union of them."""
