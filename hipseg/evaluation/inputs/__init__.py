"""What models are judged on: cases of a data set, and clips with truth beside them."""
