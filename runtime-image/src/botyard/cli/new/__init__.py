"""`botyard new`: the beginning of a bot, which works and passes its own scenario."""
