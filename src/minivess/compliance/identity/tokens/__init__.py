"""Signing keys that stay in a token (PKCS #11)."""
