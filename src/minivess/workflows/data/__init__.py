"""From files or the generator to validated, split and versioned cases."""
