"""The README's first command: Botyard on a cluster, a bot from git, a conversation with it."""
