"""Stand-ins for files of transformers."""
