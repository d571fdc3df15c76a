"""The chat application: how bundles speak with clients."""
