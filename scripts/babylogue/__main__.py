"""`python -m babylogue` is `babylogue`."""

import sys

from .cli.main import main

sys.exit(main())
