"""Settings for every test: hypothesis without its time limit, which a busy machine breaks."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("region-failover", deadline=None, max_examples=80)
settings.load_profile("region-failover")
