"""What goes in and comes out, as pydantic models."""
