"""Pictures of data for people: a batch, an item step by step, what presizing saves."""
