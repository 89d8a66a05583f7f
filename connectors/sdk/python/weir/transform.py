"""Transformations and predicates: one record in, one record or none out.

The worker hands over whole batches; `apply` and `test` see one record each. A record that raises is judged alone, by
`errors.tolerance`. Kafka classes: `org.apache.kafka.connect.transforms.{Transformation,predicates.Predicate}`.
"""

from __future__ import annotations

from weir.config import Config, ConfigDef
from weir.records import SinkRecord, SourceRecord

Record = SourceRecord | SinkRecord


class Transformation:
    """Changes records."""

    #: Settings of the class.
    config_def = ConfigDef()
    #: Set before `configure`.
    config: Config

    def configure(self, config: Config) -> None:
        """Takes its settings, once."""

    def apply(self, record: Record) -> Record | None:
        """Gives the record changed, in place or as a new one; None = filtered out."""
        raise NotImplementedError(f"{type(self).__name__}.apply")

    def close(self) -> None:
        """Ends it."""


class Predicate:
    """Says which records a transformation is for."""

    config_def = ConfigDef()
    config: Config

    def configure(self, config: Config) -> None:
        """Takes its settings, once."""

    def test(self, record: Record) -> bool:
        """Tells whether the record is meant."""
        raise NotImplementedError(f"{type(self).__name__}.test")

    def close(self) -> None:
        """Ends it."""
