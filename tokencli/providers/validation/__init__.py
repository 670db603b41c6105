"""Validate provider tables, built-in or user-defined."""
