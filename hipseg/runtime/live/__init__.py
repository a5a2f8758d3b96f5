"""The live half of the stream: newest frame first, faults watched, recording in the background."""
