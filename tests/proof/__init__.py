"""The proof of the wall: cells of the catalogue, mutants of the wall, a load through a pooler, and their report."""
