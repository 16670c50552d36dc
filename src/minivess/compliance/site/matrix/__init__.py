"""The matrix of a trace: its chains, its rows, and the scripts from which its pages are drawn."""
