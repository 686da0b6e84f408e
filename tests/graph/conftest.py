"""Put the folder of oracles, independent reference implementations, on the import path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
