"""The companion process of a run: it binds, authenticates, orders, judges and records, so that the training process never has to.

It is started by the agent (`bedside.spawn`), outlives the training to write the verdict, and leaves within seconds of the end.
"""
