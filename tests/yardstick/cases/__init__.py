"""Logs made by hand that must be refused or accepted, by what is wrong with them."""
