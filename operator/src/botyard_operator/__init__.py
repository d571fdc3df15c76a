"""The Botyard operator: reconciles Bundles, Bots and Personas."""
