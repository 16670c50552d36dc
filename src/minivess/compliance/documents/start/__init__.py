"""What the start page of a pack states beside the verdict: what is open, what is left of the risks, and who signed."""
