"""Files that SQL cannot open, as lines that a build lands."""
