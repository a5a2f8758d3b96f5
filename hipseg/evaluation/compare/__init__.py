"""Two or more evaluations of the same cases, against each other."""
