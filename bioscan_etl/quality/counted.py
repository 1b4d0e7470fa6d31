"""The two kinds of expectations that count failing rows with Great Expectations' SQL engine.

Belongs here: how a condition is counted. Does not belong here: which conditions there are
(`bioscan_etl.quality.expectations`), and the database (`bioscan_etl.quality.duckdb_dialect`).

Great Expectations' own row expectations take one query each, and read the table again for each. Conditions on a row
alone are counted together: Great Expectations bundles aggregates over one table into one query. A condition that looks
at other rows groups the whole table. It gets a query of its own, so that memory holds one such grouping at a time.
"""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def no_row_expectation() -> type[Any]:
    """The expectation `ExpectNoRowToMeet(condition=…)`, made and registered on the first call.

    The condition is SQL over one row. All such expectations on a table are evaluated in one pass.
    """
    from great_expectations.core.metric_domain_types import MetricDomainTypes
    from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
    from great_expectations.expectations.expectation import BatchExpectation
    from great_expectations.expectations.metrics.metric_provider import metric_partial
    from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
    from sqlalchemy import func, literal_column

    class RowsThatMeet(TableMetricProvider):
        """Number of rows that meet a condition."""

        metric_name = "table.rows_that_meet"
        value_keys = ("condition",)

        @metric_partial(
            engine=SqlAlchemyExecutionEngine,
            partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
            domain_type=MetricDomainTypes.TABLE,
        )
        def _sqlalchemy(
            cls: Any,  # noqa: N805 (the name under which it is passed)
            metric_domain_kwargs: dict[str, Any],
            metric_value_kwargs: dict[str, Any],
            **_: Any,
        ) -> tuple[Any, dict[str, Any], dict[str, Any]]:
            # A literal column is sent as it is: colons are no parameters.
            condition: Any = literal_column(f"({metric_value_kwargs['condition']})")
            return func.count().filter(condition), metric_domain_kwargs, {}

    class ExpectNoRowToMeet(BatchExpectation):
        """Expect no row to meet a condition."""

        condition: str
        metric_dependencies = (RowsThatMeet.metric_name,)
        success_keys = ("condition",)

        def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> Any:
            count = metrics[RowsThatMeet.metric_name]
            return {"success": count == 0, "result": {"observed_value": count}}

    return ExpectNoRowToMeet


@cache
def no_rows_expectation() -> type[Any]:
    """The expectation `ExpectQueryToReturnNoRows`, made and registered on the first call.

    `UnexpectedRowsExpectation` runs its query twice, to count and to sample; this one only counts.
    """
    from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation

    class ExpectQueryToReturnNoRows(UnexpectedRowsExpectation):
        """Expect a query to return no rows."""

        metric_dependencies = ("unexpected_rows_query.row_count",)

        def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> Any:
            count = metrics["unexpected_rows_query.row_count"]
            return {"success": count == 0, "result": {"observed_value": count}}

    return ExpectQueryToReturnNoRows
