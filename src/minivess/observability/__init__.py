"""What watches from outside: MLflow tracking and OpenLineage events. Sinks, never sources; strangers to each other."""
