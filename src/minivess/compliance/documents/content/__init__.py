"""What documents say: named facts, acts of people from the log, title blocks, and the texts of the manufacturer."""
