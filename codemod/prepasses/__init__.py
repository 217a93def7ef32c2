"""What is written in the text before anything is rewritten: other forms of modules, as classes that are rewritten as any."""
