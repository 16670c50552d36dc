"""How single gates are judged."""
