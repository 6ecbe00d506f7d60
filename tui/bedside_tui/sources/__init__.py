"""Where the records of a run come from: live, replayed or scripted, all the same to the screens."""

from bedside_tui.sources.source import Control, Inbox, Source, SourceState, SourceStatus, Update

__all__ = ["Control", "Inbox", "Source", "SourceState", "SourceStatus", "Update"]
