"""The routes, a file for each use case."""
