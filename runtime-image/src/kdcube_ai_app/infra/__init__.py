"""What bundles need around their logic: loading, configuration, accounting."""
