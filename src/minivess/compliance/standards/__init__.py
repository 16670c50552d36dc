"""Clause catalogues as dated data, and which named evidence meets which clause."""
