"""Authorization servers that others wrote, run on loopback for the tests."""
