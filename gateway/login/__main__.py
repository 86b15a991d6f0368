"""`python -P -m gateway.login users|login …`, on the volume of PLEXMESH_DATA."""

import sys

from gateway.login.commands import main

if __name__ == "__main__":
    sys.exit(main())
