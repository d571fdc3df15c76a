"""One level-triggered reconciler for each kind of key: read the caches, apply what differs, report in status."""
