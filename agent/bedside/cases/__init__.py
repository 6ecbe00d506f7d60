"""Real small trainings to watch: each one script, with a healthy form and a broken one that differ by the fault alone."""
