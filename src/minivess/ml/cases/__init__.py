"""Prepared cases: two arrays and a record each, and manifests of them."""
