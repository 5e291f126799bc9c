"""Strict templates: an undefined variable is an error wherever it stands, never an empty piece of a key."""

import sys
import traceback
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dagster.components.resolved.context import ResolutionContext
from dagster.components.resolved.errors import ResolutionException

if TYPE_CHECKING:
    from jinja2 import Environment, Template

# Jinja is imported by the first template: a component without any loads sooner.


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    from jinja2 import StrictUndefined  # noqa: PLC0415
    from jinja2.nativetypes import NativeEnvironment  # noqa: PLC0415

    return NativeEnvironment(undefined=StrictUndefined)


@lru_cache(maxsize=1024)
def _compiled(text: str) -> "Template":
    return _environment().from_string(text)


class StrictResolutionContext(ResolutionContext):
    """Dagster's resolution context, with two differences.

    `raw/{{ typo }}` is an error that names file, line and the variables there are, where Dagster renders `raw/`.
    And each template is compiled once, which counts when a translation is applied to thousands of assets.
    """

    @classmethod
    def of(cls, context: ResolutionContext) -> "StrictResolutionContext":
        """The strict twin of a context.

        Args:
            context: What Dagster loads the component with.

        Returns:
            A context with the same scope and position.
        """
        return cls(
            scope=context.scope,
            path=context.path,
            source_position_tree=context.source_position_tree,
            stash=context.stash,
        )

    def _resolve_inner_value(self, val: Any) -> Any:
        if not isinstance(val, str) or ("{{" not in val and "{%" not in val and "{#" not in val):
            return val
        from jinja2 import TemplateError, Undefined, UndefinedError  # noqa: PLC0415

        try:
            rendered = _compiled(val).render(**self.scope)
        except UndefinedError as error:
            raise self._invalid_scope_exc(error.message or str(error)) from None
        except ResolutionException:
            raise
        except TemplateError as error:
            raise ResolutionException("".join([*self._location_parts(str(error)), str(error)])) from None
        except Exception:
            raise self._scope_threw_exc(traceback.format_exception(*sys.exc_info())) from None
        if isinstance(rendered, Undefined):
            raise self._invalid_scope_exc(rendered._undefined_message)
        return rendered
