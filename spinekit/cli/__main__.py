"""`python -m spinekit.cli`."""

from spinekit.cli import main

main()
