"""Our training against others', on the same data, in the same minutes, in one run."""
