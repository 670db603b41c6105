"""Tests of the loopback proxy."""
