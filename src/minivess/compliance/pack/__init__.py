"""The release evidence pack: gates, bill of materials, and the packing of everything into one bag."""
