"""hipseg: segmentation and guidance for ultrasound-guided hip joint injection.

Research software. Not a medical device. Not for clinical decisions.
"""

__version__ = "0.1.0"

DISCLAIMER = "Research software. Not a medical device. Not for clinical decisions."
