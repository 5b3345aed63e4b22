# SPDX-License-Identifier: Apache-2.0
"""`python -m strongroom` is `strongroom`."""

import sys

from strongroom.cli import main

sys.exit(main())
