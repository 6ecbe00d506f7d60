"""Old runs of other programs, made into recordings like any other: read, put in order, judged by the rules while they are written."""
