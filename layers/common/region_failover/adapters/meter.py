"""Structured logs and EMF metrics, by Powertools."""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

NAMESPACE = "RegionFailover"

# What the stack's alarms watch: the worst of all plans. The rest is of interest plan by plan; CloudWatch
# bills each metric of each set of dimensions.
OF_THE_STACK = frozenset({"Samples", "ActiveRegionUnhealthy"})


class PowertoolsMeter:
    """Implements ports.Meter.

    Every value goes out with the dimensions `service` and `plan`, for people; those that the stack's alarms
    watch also with `service` alone, because alarms cannot know the plans' names.
    """

    def __init__(self, service: str, logger: Logger) -> None:
        """Emit metrics of this service."""
        self._service = service
        self._logger = logger

    def measure(self, plan: str, values: Mapping[str, float]) -> None:
        """Emit metrics of one plan."""
        of_the_stack = {name: value for name, value in values.items() if name in OF_THE_STACK}
        self._emit(of_the_stack, {"service": self._service})
        self._emit(values, {"service": self._service, "plan": plan})

    def log(self, message: str, **fields: object) -> None:
        """Write one structured line."""
        self._logger.info(message, extra=fields)

    def _emit(self, values: Mapping[str, float], dimensions: Mapping[str, str]) -> None:
        metrics = AmazonCloudWatchEMFProvider(
            namespace=NAMESPACE, metric_set={}, dimension_set={}, metadata_set={}, default_dimensions={}
        )
        for dimension, of in dimensions.items():
            metrics.add_dimension(name=dimension, value=of)
        for name, value in values.items():
            unit = MetricUnit.Seconds if name.startswith("ReplicationLag") else MetricUnit.Count
            metrics.add_metric(name=name, unit=unit, value=value)
        metrics.flush_metrics()
