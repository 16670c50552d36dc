"""What changes from release to release: differences, bounds on planned changes, continuation of the log, revocation."""
