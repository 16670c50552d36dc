"""Training of ensemble members: patch sampling, loss and the loop, bounded by steps and repeatable by seed."""
