"""Runs of other machines, reached through `ssh`: which one is meant, the link to it, and the process that answers at its far end."""
