"""Validation of provider definitions, built in or user-defined."""
