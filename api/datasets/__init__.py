"""Data sets as they come in and are looked at: uploads, label rules, photos."""
