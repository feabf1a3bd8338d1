"""`python -m service`: the same as the command `convlens`."""

import sys

from service.cli.main import main

sys.exit(main())
