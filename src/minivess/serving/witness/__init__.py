"""A small witness of the log (C2SP tlog-witness)."""
