"""Archives that anyone may have made become folders, within limits. Without torch."""
