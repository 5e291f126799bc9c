"""Do the models do what they should? The outputs of `test`, `ci` and `compare`."""

from typing import Any

from pydantic import Field

from dagster_rocky.results.base import EngineObject, EngineOutput
from dagster_rocky.results.models import Diagnostic


class TestFailure(EngineObject):
    """A model that could not be run, or what does not compile."""

    __test__ = False

    name: str = ""
    error: str = ""


class ModelTest(EngineObject):
    """Whether one model ran in memory; status `pass` or `fail`."""

    model: str = ""
    status: str = ""
    error: str | None = None


class UnitTest(EngineObject):
    """One `[[test]]` of a sidecar: a model on given rows."""

    model: str = ""
    test: str = ""
    passed: bool = False
    error: str | None = None
    mismatches: list[Any] = Field(default_factory=list)


class UnitTests(EngineObject):
    """The unit tests of a project."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    results: list[UnitTest] = Field(default_factory=list)


class DeclarativeTest(EngineObject):
    """One `[[tests]]` entry on the warehouse; status `pass`, `fail` or `error`, severity `error` or `warning`."""

    model: str = ""
    table: str = ""
    test_type: str = ""
    column: str | None = None
    status: str = ""
    severity: str = "error"
    detail: str | None = None
    sql: str | None = None

    @property
    def passed(self) -> bool:
        """Whether it was evaluated and held."""
        return self.status == "pass"


class DeclarativeTests(EngineObject):
    """The assertions of a project, evaluated on the warehouse."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    warned: int = 0
    errored: int = 0
    results: list[DeclarativeTest] = Field(default_factory=list)


class TestResult(EngineOutput):
    """The output of `test`: models in memory and unit tests, with `--declarative` assertions on the warehouse.

    Example:
        ```python
        result = TestResult.model_validate({"unit_tests": {"results": [{"model": "m", "test": "t", "passed": False}]}})
        [(t.model, t.test) for t in result.unit_tests.results if not t.passed]  # [('m', 't')]
        ```
    """

    __test__ = False

    total: int = 0
    passed: int = 0
    failed: int = 0
    failures: list[TestFailure] = Field(default_factory=list)
    model_results: list[ModelTest] = Field(default_factory=list)
    unit_tests: UnitTests | None = None
    declarative: DeclarativeTests | None = None


class CiResult(EngineOutput):
    """The output of `ci`; the exit code in it is 4 where it passed with warnings."""

    compile_ok: bool = False
    tests_ok: bool = False
    models_compiled: int = 0
    tests_passed: int = 0
    tests_failed: int = 0
    exit_code: int | None = None
    diagnostics: list[Diagnostic] = Field(default_factory=list)
    failures: list[TestFailure] = Field(default_factory=list)


class ComparedTable(EngineObject):
    """A shadow table beside the one that it stands for; the figures are in `model_extra`."""

    production_table: str = ""
    shadow_table: str = ""
    row_count_match: bool | None = None
    verdict: str = ""


class CompareResult(EngineOutput):
    """The output of `compare`, after a shadow run."""

    filter: str = ""
    tables_compared: int = 0
    tables_passed: int = 0
    tables_warned: int = 0
    tables_failed: int = 0
    results: list[ComparedTable] = Field(default_factory=list)
    overall_verdict: str = ""
