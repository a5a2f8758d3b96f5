"""FAST's side of the comparison. Run by the Python of an environment that has pyfast, not by hipseg's.

    python fast_worker.py NETWORK.onnx FOLDER_OF_PNG

Answers every line "memory K" or "file K" with one line: it has segmented picture K, from memory or from its file.
"""

import importlib
import os
import sys
from pathlib import Path


def main(network_path: str, folder: str) -> None:
    """Serves until its input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # FAST greets on it, from C++
    fast = importlib.import_module("fast")
    numpy = importlib.import_module("numpy")
    paths = sorted(Path(folder).glob("*.png"))
    images = [numpy.asarray(fast.ImageFileImporter.create(str(path), True).runAndGetOutputData()) for path in paths]
    network = fast.SegmentationNetwork.create(network_path, scaleFactor=1 / 255, threshold=0.0)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        where, position = line.split()
        if where == "file":
            network.connect(fast.ImageFileImporter.create(str(paths[int(position)]), True))
        else:
            network.connect(fast.Image.createFromArray(images[int(position)]))
        labels = numpy.asarray(network.runAndGetOutputData())
        print("done", labels.shape, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
