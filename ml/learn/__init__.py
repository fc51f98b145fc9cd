"""Training, the search for a rate, and predicting for a record."""
