"""Rules over a run's log: what is wrong with a training, since when, how bad it is, and what to look at next.

Nothing is named here: who shows a run without an alarm loads no rule.
"""
