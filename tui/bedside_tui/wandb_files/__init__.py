"""W&B's offline files: a log of records in blocks, and the few fields of a record that tell of a run.

Written from the documented log format of LevelDB and from what such files hold, so that the library is not needed.
"""
