"""What is counted of a case, and the formulas of its measures and scores."""
