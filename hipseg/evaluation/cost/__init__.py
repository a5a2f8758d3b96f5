"""What accuracy costs: arithmetic, parameters, file size and time of every network and model, side by side."""
