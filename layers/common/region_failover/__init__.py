"""Region Failover: moves traffic out of a failing AWS Region, and back when it is safe."""
