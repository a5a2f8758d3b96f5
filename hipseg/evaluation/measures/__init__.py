"""What is measured on one case. Each module yields `Measure`s; none of them averages over cases."""
