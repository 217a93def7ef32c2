"""Parity: the originals and their rewrite, run side by side and held against each other rung by rung."""
