"""The documents of a release: cards, reports, tables and the start page."""
