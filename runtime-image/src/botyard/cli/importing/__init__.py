"""`botyard import`: what a registry of workflow bundles is as Bundles and Bots."""
