"""One level-triggered reconciler for each kind of key: read caches, apply what differs, report status."""
