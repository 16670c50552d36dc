"""Indexes of filings: clause by clause, what in a verified pack answers, and what does not."""
