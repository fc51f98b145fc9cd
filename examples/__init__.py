"""Scripts that show the service in use; each runs by itself."""
