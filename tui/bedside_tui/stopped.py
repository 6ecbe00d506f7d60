"""A viewer that was stopped and goes on (`kill -STOP`, `kill -CONT`): it takes its terminal again.

The terminal library does so for Ctrl-Z, which it hears before it is stopped. A process that is only stopped hears nothing; told to go on,
the library then reads the terminal a second time beside the first. Of the two readers one waits for ever: keys are lost, and `q` hangs.
"""

from __future__ import annotations

from textual.drivers.linux_driver import LinuxDriver


class Driver(LinuxDriver):
    """The library's own, which first gives up a terminal that it still holds."""

    def _sigcont_application(self, *_: object) -> None:
        if self._must_signal_resume:  # Ctrl-Z: it was given up before
            super()._sigcont_application()
        else:
            self._loop.call_soon_threadsafe(self._take_again)  # not in the midst of whatever a signal interrupts

    def _take_again(self) -> None:
        reader = self._key_thread
        if self._auto_restart and reader is not None and reader.is_alive():
            self.suspend_application_mode()
            self.resume_application_mode()
            self._app.refresh()
