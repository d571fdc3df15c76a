"""Ready-made states that bots call from their own: messages, input, plugins, and tasks that add states."""
