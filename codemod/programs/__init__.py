"""The code around modules: init, apply, gradients, optimisers and train states."""
