"""A year of noise, and outages at random moments: how often judgement is fooled, and how fast it is.

The product's own code (probe, vantage point, failover up to its claim) runs in virtual time; only the
network, the Regions and the services' delays are made up, by the rates in `weather.py`. What all is well
needs no playing: only the minutes around each disturbance are. Figures: docs/judgement.md.
"""
