"""Learning: data, augmentation, model, schedule, loop, interpretation, prediction."""
