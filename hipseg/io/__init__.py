"""Sources that yield frames, and sinks that keep what came of them."""
