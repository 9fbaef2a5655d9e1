"""Queries of the ORM whose SQL is built once: building it takes ten times as long as SQLite takes to answer.

And the INSERT of a model, and the short way to the database.
"""

import functools
import json
import operator
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import DateTimeField, Expression, Field, JSONField, Model, QuerySet
from django.db.models.query import RelatedPopulator, get_related_populators
from django.db.models.sql.compiler import SQLCompiler

Row = TypeVar("Row", bound=Model)
# Makes of a value what a field stores; None where that is the value itself.
Store = Callable[[Any], Any] | None


def ask(sql: str, parameters: Sequence[Any] = ()) -> Any:
    """Execute a statement that every run needs, and return its cursor."""
    database: Any = connections[DEFAULT_DB_ALIAS]
    return database.ask(sql, parameters)


class Given(Expression):
    """The place of a value in a prepared query: `filter(slug=Given("slug"))`, asked with `rows(slug=...)`.

    A moment is stored as fields store it, everything else as SQLite does.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]  # itself among the parameters, until there is a value


class _Statement(NamedTuple):
    sql: str
    parameters: Sequence[Any]
    converters: dict[int, Any]  # of columns, by their place
    model: type[Model]
    names: Sequence[str]  # of the model's columns, which come first
    related: Sequence[RelatedPopulator]
    annotations: dict[str, int]


class PreparedQuery(Generic[Row]):
    """The rows of a query set as the ORM makes them, related ones and annotations too, and nothing prefetched.

    A value of the moment, such as the time, belongs into `Given`: everything else stays as it was at the first use.
    """

    def __init__(self, rows: Callable[[], QuerySet[Row]]) -> None:
        self._rows = rows

    def rows(self, **values: Any) -> list[Row]:
        statement = self._statement
        parameters = [_value(parameter, values) for parameter in statement.parameters]
        found = ask(statement.sql, parameters).fetchall()
        return [_instance(statement, list(row)) for row in found]

    def first(self, **values: Any) -> Row | None:
        rows = self.rows(**values)
        return rows[0] if rows else None

    @functools.cached_property
    def _statement(self) -> _Statement:
        compiler = self._rows().query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        return _statement(compiler, sql, parameters)


def _statement(compiler: SQLCompiler, sql: str, parameters: Sequence[Any]) -> _Statement:
    expressions = [column[0] for column in compiler.select]
    shape: Any = compiler.klass_info
    own = shape["select_fields"]
    return _Statement(
        sql=sql,
        parameters=parameters,
        converters=compiler.get_converters(expressions),
        model=shape["model"],
        names=[expressions[place].target.attname for place in own],
        # The types know a later Django, which asks for one thing more.
        related=get_related_populators(shape, compiler.select, connection.alias),  # type: ignore[call-arg]
        annotations=dict(compiler.annotation_col_map or {}),
    )


def _value(parameter: Any, values: dict[str, Any]) -> Any:
    if not isinstance(parameter, Given):
        return parameter
    value = values[parameter.name]
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


def _instance(statement: _Statement, row: list[Any]) -> Any:
    for place, (converters, expression) in statement.converters.items():
        for converter in converters:
            row[place] = converter(row[place], expression, connection)
    found = statement.model.from_db(connection.alias, statement.names, row[: len(statement.names)])
    for populator in statement.related:
        populator.populate(row, found)
    for name, place in statement.annotations.items():
        setattr(found, name, row[place])
    return found


class PreparedInsert(Generic[Row]):
    """Stores new rows of a model as `bulk_create` does, in a tenth of the time."""

    def __init__(self, model: type[Row], *, has_key: bool) -> None:
        # `has_key`: whether rows bring their primary keys along; else the database gives them, and they stay unknown.
        fields = [
            field for field in model._meta.concrete_fields if has_key or not field.primary_key
        ]
        self._values_of = operator.attrgetter(*[field.attname for field in fields])
        self._stores = [stored_by(field) for field in fields]
        columns = ", ".join(str(field.column) for field in fields)
        places = ", ".join(["%s"] * len(fields))
        self._sql = f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({places})"

    def store(self, rows: Sequence[Row]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(
                self._sql, [stored_values(self._stores, self._values_of(row)) for row in rows]
            )
        for row in rows:
            row._state.adding = False
            row._state.db = connection.alias


def stored_by(field: "Field[Any, Any]") -> Store:
    if isinstance(field, DateTimeField):
        return connection.ops.adapt_datetimefield_value
    if isinstance(field, JSONField):
        return functools.partial(json.dumps, cls=field.encoder)
    return None


def stored_values(stores: Iterable[Store], values: Iterable[Any]) -> list[Any]:
    """Return what fields store of their values, in the same order; None stays None."""
    found = []
    for store, value in zip(stores, values, strict=True):
        if store is not None and value is not None:
            value = store(value)
        found.append(value)
    return found
