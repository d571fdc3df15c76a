"""Configuration and the models of a bundle."""
