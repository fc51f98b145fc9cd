"""What holds before a job is queued, and how long it will take."""
