"""DICOM ultrasound, read frame by frame, and segmentations written as DICOM."""
