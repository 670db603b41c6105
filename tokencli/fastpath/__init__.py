"""What a warm call reads and writes: the answer of an earlier run, checked against the files it came from."""
