"""How far a model's answer can be trusted: calibrated scores, known or not, sets. numpy only."""
