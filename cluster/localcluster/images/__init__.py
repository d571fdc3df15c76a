"""The project's images: what goes into them, how they are built here, and how they get into the cluster in use."""
