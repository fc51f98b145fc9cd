"""Jobs and predictions for an hour while processes are killed at random."""
