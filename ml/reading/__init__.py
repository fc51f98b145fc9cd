"""What a run's record says, in numbers and words. Without torch."""
