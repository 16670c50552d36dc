"""The sealed test part: encryption, reading with the key, and the search for plain copies."""
