"""Stand-ins for files of libraries: read in the place of what is not in the tree."""
