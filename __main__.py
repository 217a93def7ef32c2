"""`python -m nnx_codemod`."""

from .cli import main

if __name__ == "__main__":
    main()
