"""Makes `python -m authx.cli` the same as `authx`."""

import sys

from authx.cli import main

if __name__ == "__main__":
    sys.exit(main())
