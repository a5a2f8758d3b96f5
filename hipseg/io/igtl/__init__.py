"""OpenIGTLink, versions 1 to 3: images in; label maps, needle, target, alerts and health out."""
