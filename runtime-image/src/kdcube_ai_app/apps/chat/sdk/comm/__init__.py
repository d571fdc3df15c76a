"""What a bundle sends to its clients, and which client receives what."""
