"""Programs that benchmarks compare with; each is run by an environment of its own."""
