"""How a model bears what scanners, probes and recorders do to an image, grade by grade."""
