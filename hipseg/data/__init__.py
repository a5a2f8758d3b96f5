"""Annotated ultrasound for training: data sets on disk, importers, samples, augmentation, loading."""
