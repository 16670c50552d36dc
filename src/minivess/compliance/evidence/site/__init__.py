"""The trace as people read it: a static site that opens from a disk, tables for a spreadsheet, rows for a terminal."""
