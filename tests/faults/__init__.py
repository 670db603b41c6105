"""A misbehaving server and the table of its faults."""
