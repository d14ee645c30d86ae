"""The operations, one module each; a step takes a canvas and returns the next."""
