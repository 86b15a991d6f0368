"""`python -P -m caching.idcams COMMAND …`, on the volume of PLEXMESH_DATA."""

import sys

from caching.idcams.commands import main

if __name__ == "__main__":
    sys.exit(main())
