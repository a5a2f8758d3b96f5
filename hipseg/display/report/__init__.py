"""The report of a session: what guidance said over time, on one page without anything of the patient."""
