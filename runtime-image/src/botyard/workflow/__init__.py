"""Workflow bots: bundles whose answers stream while they are made."""
