"""Changes of rows in a company's database: what they look like, who wants them, where they come in."""
