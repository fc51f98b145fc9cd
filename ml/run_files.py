"""What the files of a trained model are called. The store knows them by the same names; a test compares them."""

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
PREDICTIONS = "predictions.jsonl"
"""A line for each picture of the validation side."""
JUDGEMENT = "judgement.safetensors"
"""How far its answers can be trusted."""
