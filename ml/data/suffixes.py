"""Which names of files are taken for images."""

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".mpo"}
    | {".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpx", ".j2c", ".jpc", ".jpf"}
)
"""Names that are taken for images. A fixed list: the system's own differs from machine to machine."""
