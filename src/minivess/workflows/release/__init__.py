"""Release gates, the evidence pack, and its signatures."""
