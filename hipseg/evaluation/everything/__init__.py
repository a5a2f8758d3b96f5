"""All benchmarks in one go, on one page: one that is missing or fails is told so, and the others go on."""
