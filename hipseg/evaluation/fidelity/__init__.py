"""How far simulated ultrasound is from real: the same figures of both, and classifiers that tell them apart."""
