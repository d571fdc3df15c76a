"""Rows of ERP tables: a class for each table of the two sets that bots know, and for those of a bundle's own."""
