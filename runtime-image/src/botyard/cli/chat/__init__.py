"""`botyard chat`: a conversation in the terminal, over the same API as everybody else."""
