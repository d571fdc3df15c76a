"""What the workshop knows: its services, its days, and how it takes deposits."""
