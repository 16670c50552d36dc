"""Where private keys rest: files of one identity, the folder of them, and the profile of a person."""
