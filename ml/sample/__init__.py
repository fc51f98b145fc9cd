"""The drawn data set: 37 breeds under their real names, where no photos are at hand."""
