"""A run's story and what its predictions say, as answers tell it."""
