"""Pieces of screens: functions from a view to lines of toned text, and the one widget that puts lines on the terminal."""
