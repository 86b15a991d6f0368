"""What holds for all tests: generated examples have no time limit (a busy machine is no defect), and in continuous
integration they are the same each time, so that a run judges the change and not the luck of the draw. Locally, and in
`make soak`, new ones are drawn.
"""

import os

from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
