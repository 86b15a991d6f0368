"""`python -P -m launcher --lpar LPAR1`: the same as `plexmesh run --lpar LPAR1`."""

import sys

from launcher.cli import main

sys.exit(main(["run", *sys.argv[1:]]))
