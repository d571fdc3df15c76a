"""`botyard dev`: everything for one bot on one machine, by the same code as in a cluster."""
