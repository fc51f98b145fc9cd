"""Changing pictures while training: what is drawn from the seed, and how pixels follow it."""
