"""How items, tests, results and code link, and what is missing."""
