"""The same frames and the same network through other people's software, in turn."""
