"""Entry points of chat bundles."""
