"""A search over settings: what may be tried, what to try next, and when a trial is not worth its end."""
