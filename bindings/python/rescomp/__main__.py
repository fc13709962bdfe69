"""The command line: python -m rescomp, and the program `rescomp` of a wheel that holds the library."""
import os
import pathlib
import shutil
import sys


def main() -> int:
    """Becomes the program beside this package, or else the one on PATH."""
    beside = pathlib.Path(__file__).resolve().parent / "rescomp"
    found = str(beside) if beside.exists() else shutil.which("rescomp")
    if not found or os.path.realpath(found) == os.path.realpath(sys.argv[0]):
        print("rescomp: the program is not installed; see docs/installing.md", file=sys.stderr)
        return 127
    os.execv(found, ["rescomp", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
