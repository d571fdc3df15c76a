"""Pure functions from a Bot and its surroundings to the objects that it should have. No I/O, no clock."""
