"""What does the engine print? Every output as typed objects that keep what they do not know.

A module of it is imported when one of its names is asked for: building so many models takes longer than most loads.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagster_rocky.results.ahead import (
        Branch,
        BranchListResult,
        BranchResult,
        PlannedStatement,
        PlanResult,
        SnapshotResult,
        SnapshotStep,
    )
    from dagster_rocky.results.base import (
        EngineObject,
        EngineOutput,
        json_document,
    )
    from dagster_rocky.results.built import (
        ContainedModel,
        Drift,
        DriftAction,
        ExcludedTable,
        ExclusionReason,
        Materialization,
        MaterializationMetadata,
        ModelDecision,
        OverrideWarning,
        PartitionSummary,
        PartitionWindow,
        Permissions,
    )
    from dagster_rocky.results.catalog import (
        CatalogAsset,
        CatalogColumn,
        CatalogEdge,
        CatalogResult,
        RecipeIdentity,
    )
    from dagster_rocky.results.configuration import (
        DoctorCheck,
        DoctorResult,
        ListAdaptersResult,
        ListedAdapter,
        ListedModel,
        ListedPipeline,
        ListModelsResult,
        ListPipelinesResult,
        ValidatedAdapter,
        ValidatedModels,
        ValidatedPipeline,
        ValidateResult,
        ValidationMessage,
    )
    from dagster_rocky.results.costs import (
        BudgetBreach,
        CostResult,
        CostSummary,
        EstimateResult,
        ModelCost,
        ModelEstimate,
        OptimizeResult,
        PastModelCost,
        Recommendation,
    )
    from dagster_rocky.results.discovery import (
        DiscoveredCheck,
        DiscoveredChecks,
        DiscoveredSource,
        DiscoveredTable,
        DiscoverResult,
        FailedSource,
        FreshnessConfig,
        ListedSource,
        ListSourcesResult,
    )
    from dagster_rocky.results.failures import (
        Attempt,
        FailureKind,
        RunError,
    )
    from dagster_rocky.results.loading import (
        DagRunNode,
        DagRunResult,
        LoadedFile,
        LoadResult,
        SeededTable,
        SeedResult,
    )
    from dagster_rocky.results.models import (
        ColumnEdge,
        ColumnRef,
        CompileResult,
        CostHint,
        DagEdge,
        DagNode,
        DagResult,
        DagSummary,
        Diagnostic,
        Freshness,
        IncrementalityHint,
        LineageColumn,
        LineageNode,
        LineageResult,
        ListConsumersResult,
        ListDepsResult,
        ModelDetail,
        PartitionShape,
        Span,
        Strategy,
        Target,
    )
    from dagster_rocky.results.past import (
        HistoryResult,
        HistoryRun,
        MetricsResult,
        ModelExecution,
        PastModel,
        RollingFigure,
        RollingStats,
        StateResult,
        TracedModel,
        TraceResult,
        Watermark,
    )
    from dagster_rocky.results.rules import (
        ClassifiedColumn,
        ComplianceException,
        ComplianceResult,
        ComplianceSummary,
        Masking,
        ModelRetention,
        RetentionStatusResult,
    )
    from dagster_rocky.results.run import (
        Execution,
        RunMetrics,
        RunResult,
    )
    from dagster_rocky.results.testing import (
        CiResult,
        ComparedTable,
        CompareResult,
        DeclarativeTest,
        DeclarativeTests,
        ModelTest,
        TestFailure,
        TestResult,
        UnitTest,
        UnitTests,
    )
    from dagster_rocky.results.verdicts import (
        Anomaly,
        CheckOutcome,
        CheckResult,
        Quarantine,
    )

_NAMES = {
    "ahead": "Branch BranchListResult BranchResult PlannedStatement PlanResult SnapshotResult SnapshotStep",
    "base": "EngineObject EngineOutput json_document",
    "built": (
        "ContainedModel Drift DriftAction ExcludedTable ExclusionReason Materialization "
        "MaterializationMetadata ModelDecision OverrideWarning PartitionSummary PartitionWindow "
        "Permissions"
    ),
    "catalog": "CatalogAsset CatalogColumn CatalogEdge CatalogResult RecipeIdentity",
    "configuration": (
        "DoctorCheck DoctorResult ListAdaptersResult ListedAdapter ListedModel ListedPipeline "
        "ListModelsResult ListPipelinesResult ValidatedAdapter ValidatedModels ValidatedPipeline "
        "ValidateResult ValidationMessage"
    ),
    "costs": (
        "BudgetBreach CostResult CostSummary EstimateResult ModelCost ModelEstimate OptimizeResult "
        "PastModelCost Recommendation"
    ),
    "discovery": (
        "DiscoveredCheck DiscoveredChecks DiscoveredSource DiscoveredTable DiscoverResult FailedSource "
        "FreshnessConfig ListedSource ListSourcesResult"
    ),
    "failures": "Attempt FailureKind RunError",
    "loading": "DagRunNode DagRunResult LoadedFile LoadResult SeededTable SeedResult",
    "models": (
        "ColumnEdge ColumnRef CompileResult CostHint DagEdge DagNode DagResult DagSummary Diagnostic "
        "Freshness IncrementalityHint LineageColumn LineageNode LineageResult ListConsumersResult "
        "ListDepsResult ModelDetail PartitionShape Span Strategy Target"
    ),
    "past": (
        "HistoryResult HistoryRun MetricsResult ModelExecution PastModel RollingFigure RollingStats "
        "StateResult TracedModel TraceResult Watermark"
    ),
    "rules": (
        "ClassifiedColumn ComplianceException ComplianceResult ComplianceSummary Masking ModelRetention "
        "RetentionStatusResult"
    ),
    "run": "Execution RunMetrics RunResult",
    "testing": (
        "CiResult ComparedTable CompareResult DeclarativeTest DeclarativeTests ModelTest TestFailure "
        "TestResult UnitTest UnitTests"
    ),
    "verdicts": "Anomaly CheckOutcome CheckResult Quarantine",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


__all__ = [
    "Anomaly",
    "Attempt",
    "Branch",
    "BranchListResult",
    "BranchResult",
    "BudgetBreach",
    "CatalogAsset",
    "CatalogColumn",
    "CatalogEdge",
    "CatalogResult",
    "CheckOutcome",
    "CheckResult",
    "CiResult",
    "ClassifiedColumn",
    "ColumnEdge",
    "ColumnRef",
    "CompareResult",
    "ComparedTable",
    "CompileResult",
    "ComplianceException",
    "ComplianceResult",
    "ComplianceSummary",
    "ContainedModel",
    "CostHint",
    "CostResult",
    "CostSummary",
    "DagEdge",
    "DagNode",
    "DagResult",
    "DagRunNode",
    "DagRunResult",
    "DagSummary",
    "DeclarativeTest",
    "DeclarativeTests",
    "Diagnostic",
    "DiscoverResult",
    "DiscoveredCheck",
    "DiscoveredChecks",
    "DiscoveredSource",
    "DiscoveredTable",
    "DoctorCheck",
    "DoctorResult",
    "Drift",
    "DriftAction",
    "EngineObject",
    "EngineOutput",
    "EstimateResult",
    "ExcludedTable",
    "ExclusionReason",
    "Execution",
    "FailedSource",
    "FailureKind",
    "Freshness",
    "FreshnessConfig",
    "HistoryResult",
    "HistoryRun",
    "IncrementalityHint",
    "LineageColumn",
    "LineageNode",
    "LineageResult",
    "ListAdaptersResult",
    "ListConsumersResult",
    "ListDepsResult",
    "ListModelsResult",
    "ListPipelinesResult",
    "ListSourcesResult",
    "ListedAdapter",
    "ListedModel",
    "ListedPipeline",
    "ListedSource",
    "LoadResult",
    "LoadedFile",
    "Masking",
    "Materialization",
    "MaterializationMetadata",
    "MetricsResult",
    "ModelCost",
    "ModelDecision",
    "ModelDetail",
    "ModelEstimate",
    "ModelExecution",
    "ModelRetention",
    "ModelTest",
    "OptimizeResult",
    "OverrideWarning",
    "PartitionShape",
    "PartitionSummary",
    "PartitionWindow",
    "PastModel",
    "PastModelCost",
    "Permissions",
    "PlanResult",
    "PlannedStatement",
    "Quarantine",
    "RecipeIdentity",
    "Recommendation",
    "RetentionStatusResult",
    "RollingFigure",
    "RollingStats",
    "RunError",
    "RunMetrics",
    "RunResult",
    "SeedResult",
    "SeededTable",
    "SnapshotResult",
    "SnapshotStep",
    "Span",
    "StateResult",
    "Strategy",
    "Target",
    "TestFailure",
    "TestResult",
    "TraceResult",
    "TracedModel",
    "UnitTest",
    "UnitTests",
    "ValidateResult",
    "ValidatedAdapter",
    "ValidatedModels",
    "ValidatedPipeline",
    "ValidationMessage",
    "Watermark",
    "json_document",
]
