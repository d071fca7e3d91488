"""Command line of the demos."""

from __future__ import annotations

import argparse
import sys


def main(argv: list[str] | None = None) -> int:
    """Run the demo named on the command line; the exit status tells whether it reached its goal."""
    parser = argparse.ArgumentParser(prog="python -m pydl.demo", description="Small programs that show pydl at work.")
    demos = parser.add_subparsers(dest="demo", required=True)
    digits = demos.add_parser("digits", help="train a classifier of handwritten digits")
    digits.add_argument("--epochs", type=int, default=12, help="rounds over the training data (default: %(default)s)")
    digits.add_argument("--out", default=".", help="folder for digits.pt and digits.png (default: here)")
    digits.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: %(default)s)")
    args = parser.parse_args(argv)
    try:
        from pydl.demo.digits import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("sklearn", "matplotlib", "tqdm"):
            raise
        print(f'This demo needs {error.name}: pip install "pydl-nn[demo]"', file=sys.stderr)
        return 2
    return run(args.epochs, args.out, args.seed)


if __name__ == "__main__":
    sys.exit(main())
