"""The pedigree command."""
