"""The real-time core: exported models, without PyTorch."""
