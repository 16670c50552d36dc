"""What in an image a network answers to, with a check that the explanation depends on the network."""
