"""The configuration file: find, read, validate and edit it, and resolve profiles from it."""
