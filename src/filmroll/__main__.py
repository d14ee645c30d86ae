"""``python -m filmroll`` is ``filmroll``."""

from filmroll.cli import main

main()
