"""The life of a claimed job."""
