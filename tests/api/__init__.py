"""The HTTP contract, proved."""
