"""OpenLineage: events as the specification writes them, and the relay that delivers them from an outbox."""
