"""What turns used of paid services: taken from workers, counted by turn and day, and written to a storage."""
