"""`python -m service`: the same as the command `convlens`."""

import sys

from service.cli import main

sys.exit(main())
