"""The people and services that act: their keys, roles and what was checked about them."""
