"""Finding configurations in a store."""
