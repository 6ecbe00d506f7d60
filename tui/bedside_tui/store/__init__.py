"""What a viewer knows: the records it has read, folded so that any moment of the run can be shown at once.

`Store.feed` takes records in log order; `Store.at` gives the `View` of one moment. Nothing here knows a terminal, a socket or a clock.
"""
