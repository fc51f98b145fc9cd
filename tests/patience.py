"""How long a test waits for what is about to happen."""

PATIENCE_SECONDS = 150.0
"""What a machine may take that is several times slower and busy with other tests; where all is right nobody waits so long."""
