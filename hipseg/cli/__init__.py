"""The command line, one module a verb; heavy imports stay inside the verb."""
