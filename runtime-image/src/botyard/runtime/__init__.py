"""What runs in a bot's pod: a supervisor that owns partitions and commits, and expendable workers that run bundles.

The supervisor holds Redis, leases, credentials and configuration and never imports bundle code. Workers import the
bundle and know nothing of the platform; they live in another container and speak frames over a socket.
"""
