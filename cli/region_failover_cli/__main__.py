"""`python -m region_failover_cli`."""

from region_failover_cli.main import main

main()
