"""The part of a recording around one moment, as a recording of its own: what a colleague needs to see it as it was."""
