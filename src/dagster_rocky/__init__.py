"""Rocky SQL projects as Dagster assets."""

from dagster_rocky.component import RockyComponent
from dagster_rocky.resource import RockyResource
from dagster_rocky.standalone import build_rocky_definitions
from dagster_rocky.translator import DagsterRockyTranslator, RockyAssetProps

__all__ = [
    "DagsterRockyTranslator",
    "RockyAssetProps",
    "RockyComponent",
    "RockyResource",
    "build_rocky_definitions",
]
