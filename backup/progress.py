"""How far it is."""

from collections.abc import Callable

Tell = Callable[[str, int, int], None]
"""Called with a stage, what is done of it and what it is in all: bytes, but for ``rows``, which counts tables."""
