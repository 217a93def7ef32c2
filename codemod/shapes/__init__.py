"""Abstract interpretation: what each expression of a program is, and how large."""
