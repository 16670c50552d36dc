"""The trace of a source tree with its project: reviews, results, standards and drills."""
