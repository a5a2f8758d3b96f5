"""From a trained network to the one self-describing ONNX file, checked and with its papers."""
