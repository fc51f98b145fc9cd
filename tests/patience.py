"""How long a test waits for what is about to happen."""

PATIENCE_SECONDS = 150.0
"""What a busy machine may take that is several times slower; where all is right nobody waits so long."""
