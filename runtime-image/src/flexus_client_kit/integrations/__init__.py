"""Integrations by the names of the existing kit's modules."""
