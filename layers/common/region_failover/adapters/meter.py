"""Structured logs and EMF metrics, by Powertools."""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

NAMESPACE = "RegionFailover"


class PowertoolsMeter:
    """Implements ports.Meter.

    Every value goes out twice: with the dimension `service`, for the stack's alarms (they cannot know the
    plans' names), and with `service` and `plan`, for people.
    """

    def __init__(self, service: str, logger: Logger) -> None:
        """Emit metrics of this service."""
        self._service = service
        self._logger = logger

    def measure(self, plan: str, values: Mapping[str, float]) -> None:
        """Emit metrics of one plan."""
        self._emit(values, {"service": self._service})
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
