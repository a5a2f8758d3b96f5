"""Whose answers are evaluated: released models, other people's ONNX models, folders of predicted masks."""
