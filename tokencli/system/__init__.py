"""The operating system: clock, signals, deadlines, child processes, private files and directories."""
