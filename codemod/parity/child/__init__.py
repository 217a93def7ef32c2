"""What runs in a subprocess, beside the user's code: one side of the comparison.

Nothing here imports the rest of the tool, so that an interpreter that does not have it can run the originals.
"""
