"""The command line: parse, make one workflow call, render."""
