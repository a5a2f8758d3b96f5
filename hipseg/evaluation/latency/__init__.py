"""How long everything takes on this machine, from the file to the overlay, and what the machine could do."""
