"""Loss functions of training, one module each."""
