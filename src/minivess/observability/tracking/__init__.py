"""MLflow: training runs as somebody who trains networks wants to see them."""
