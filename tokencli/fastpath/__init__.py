"""The fast path: cached tokens that a warm `get` prints, and shell hooks read, without the program."""
