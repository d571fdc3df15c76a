"""What the operator package adds to the command `botyard`: `validate` and `render`.

`botyard` finds them by the entry point group `botyard.commands`; it never imports this package itself. Neither command
needs a cluster.
"""
