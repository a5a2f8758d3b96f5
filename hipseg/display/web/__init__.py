"""The live view: a page for a browser on the same machine."""
