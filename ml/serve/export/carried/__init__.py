"""What an export carries along as it stands: read by people who have nothing else of this project."""
