"""``python -m gateway`` is ``turnkeeper``."""

import sys

from gateway.cli import main

sys.exit(main())
