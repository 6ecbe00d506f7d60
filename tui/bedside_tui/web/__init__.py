"""The screens in a browser: a page on loopback behind a secret address, and for each tab a viewer of its own, as a process."""
