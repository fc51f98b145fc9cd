"""POST /predict: its pictures, how they are decoded and batched, and which model answers."""
