"""What all tests share: property tests that neither race the machine nor the clock.

Examples are derived from the test itself, so a run can be repeated; new ones are the
fuzz targets' work. HYPOTHESIS_PROFILE=explore draws fresh ones.
"""

import os

from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))
