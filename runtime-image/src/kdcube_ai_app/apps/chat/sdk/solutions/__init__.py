"""Bases that bundles build on."""
