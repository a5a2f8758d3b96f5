"""Whether a model with smaller numbers may take the place of its original, and whether that is worth it here."""
