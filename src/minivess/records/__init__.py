"""Facts shared by all wings: frozen Pydantic records, one noun a file. No I/O, no ORM, no NumPy."""
