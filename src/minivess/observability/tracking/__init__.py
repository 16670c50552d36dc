"""How training runs are followed: MLflow, files of events, spans of OpenTelemetry."""
