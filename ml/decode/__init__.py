"""Bytes that anyone may have made become pixels, within limits, and what is made of pixels there. Without torch."""
