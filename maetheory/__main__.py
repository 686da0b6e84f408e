"""Run the command line as ``python -m maetheory``."""

from maetheory.cli import main

if __name__ == "__main__":
    main()
