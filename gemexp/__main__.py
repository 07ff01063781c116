"""``python -m gemexp`` is ``gemexp``."""

import sys

from gemexp.cli import main

sys.exit(main())
