"""`python -m tipstaff`."""

from tipstaff.cli import main

main()
