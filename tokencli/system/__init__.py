"""The operating system: clock, signals, deadlines, private files and directories."""
