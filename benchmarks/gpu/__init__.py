"""What is measured where there is a GPU; each script also runs on a CPU, more slowly."""
