"""A trained model for use elsewhere: one archive with the model, what it needs to know of a picture, and a script."""
