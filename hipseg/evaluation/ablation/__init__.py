"""What each part of a training is worth: the same small training again and again, each time with one thing changed."""
