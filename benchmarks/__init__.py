"""Measurements, each beside something else in one run."""
