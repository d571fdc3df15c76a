"""Botyard: bots on Kubernetes, declared as resources."""

__version__ = "0.1.0"
