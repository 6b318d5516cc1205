"""`python -m toolkit` is the same program as `toolkit`."""

from toolkit.cli.leaving import program

if __name__ == "__main__":
    program()
