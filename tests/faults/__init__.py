"""A server that does everything wrong, fault by fault, and the table of its faults."""
