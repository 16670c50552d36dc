"""What differs between two releases, what may change by a plan, and what making a release again gave."""
