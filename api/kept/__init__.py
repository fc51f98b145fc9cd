"""What stays of an answered prediction: kept ones, and the figures of all."""
