"""The fast path: cached tokens that a warm `get` and the shell hooks print without loading the program."""
