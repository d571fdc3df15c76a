"""Changes straight from PostgreSQL: logical replication on one side, the inboxes of Personas on the other."""
