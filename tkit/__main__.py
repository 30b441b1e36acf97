"""`python -m tkit` is the command `tkit`."""

from tkit.cli import main

if __name__ == "__main__":
    main()
