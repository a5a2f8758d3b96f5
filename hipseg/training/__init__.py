"""Training: losses, the Lightning module, callbacks, and the run that puts them together."""
