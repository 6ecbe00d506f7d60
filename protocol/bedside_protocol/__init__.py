"""What the training process, its hub and every viewer agree on.

Pure: no module in this package opens a file, a socket, a clock, a thread or a tensor. Time, bytes and the environment come in as
arguments; values and bytes go out.
"""
