"""What a quantity looks like from inside: one family of probes a file. A panel is a function from a probe's view to lines."""
