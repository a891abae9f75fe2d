"""`region-failover`, the command line: it invokes the stack's functions with your AWS credentials."""
