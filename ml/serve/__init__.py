"""A trained model answers for single pictures: its description, its network as one graph, and what runs it."""
