"""What turns cost, and who may spend it."""
