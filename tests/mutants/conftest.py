"""Put the root of the repository on the import path, beside which the package of the mutation tests lives."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
