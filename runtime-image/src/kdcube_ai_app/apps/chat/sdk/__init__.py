"""What bundles are made with."""
