"""What is wrong with cases: rules, duplicates, profiles, and the report a person reads."""
