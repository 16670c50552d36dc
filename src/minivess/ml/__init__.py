"""The machine-learning wing: data sets, models, inference, training, uncertainty, evaluation, export."""
