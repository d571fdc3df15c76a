"""Decorators, the loader and the registry of bundles."""
