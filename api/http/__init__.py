"""HTTP itself: what every request passes, how bodies are read, how errors are told."""
