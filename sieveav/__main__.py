"""`python -m sieveav`: the command line."""

import sys

from sieveav.frontends.cli import main

sys.exit(main())
