"""The engine: from the sources of a tree to their rewritten texts and a report."""
