"""Where artifacts and accounts are kept."""
