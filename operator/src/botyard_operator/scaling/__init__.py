"""Replicas by demand: Bots with `spec.autoscaling` grow with the events that wait, and sleep when there are none."""
