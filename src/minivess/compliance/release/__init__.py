"""Judging a release: pure functions of the entries of its log and the files of its pack."""
