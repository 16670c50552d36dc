"""What runs in a Bento: the service of `minivess serve`, whose model runs in a process of its own that batches requests."""
