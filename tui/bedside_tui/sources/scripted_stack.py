"""The stack of a run that never was: its training waits for a batch, its loader for a disk."""

from __future__ import annotations

from bedside_protocol.records import StackFrame, StackTaken, ThreadStack

_LOOP = (
    StackFrame("train.py", 88, "main", "for batch in run.steps(loader):"),
    StackFrame("train.py", 131, "<module>", "main()"),
)
_WAITING = (
    StackFrame("python3.12/threading.py", 355, "Condition.wait", "waiter.acquire()"),
    StackFrame("python3.12/queue.py", 171, "Queue.get", "self.not_empty.wait()"),
    StackFrame("site-packages/torch/utils/data/dataloader.py", 733, "_BaseDataLoaderIter.__next__", "data = self._next_data()"),
    StackFrame("data/prefetch.py", 42, "Prefetcher.__next__", "return self.ready.get()"),
)
_READING = (
    StackFrame("data/prefetch.py", 27, "Prefetcher.fill", "self.ready.put(read_shard(path))"),
    StackFrame("python3.12/threading.py", 1012, "Thread.run", "self._target(*self._args, **self._kwargs)"),
)


def waiting_for_data(why: str, step: int, command: str = "") -> StackTaken:
    """Where it is at `step`."""
    waits = ThreadStack("MainThread", (*_WAITING, *_LOOP), "waits for a lock (futex_do_wait)")
    reads = ThreadStack("prefetch", _READING, "waits for a disk, a network file system or a device, and cannot be interrupted")
    return StackTaken(why, step, (waits, reads), command=command)
