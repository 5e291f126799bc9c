"""Strict templates: an undefined variable is an error wherever it stands, never an empty piece of a key."""

import os
import sys
import traceback
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dagster.components.resolved.context import ResolutionContext
from dagster.components.resolved.errors import ResolutionException
from dagster.components.resolved.scopes import EnvScope

from dagster_rocky.yaml.mistakes import WrongYaml, instead, place

if TYPE_CHECKING:
    from jinja2 import Environment, Template

# Jinja is imported by the first template: a component without any loads sooner.


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    from jinja2.nativetypes import NativeEnvironment  # noqa: PLC0415

    from dagster_rocky.yaml.undefined import Undefined  # noqa: PLC0415

    return NativeEnvironment(undefined=Undefined)


@lru_cache(maxsize=1024)
def _compiled(text: str) -> "Template":
    return _environment().from_string(text)


class SetVariables(EnvScope):
    """`env` in templates; a variable that is not set is an error, where Dagster renders `None`.

    Example:
        ```yaml
        binary_path: "{{ env.ROCKY_BIN }}"
        parallelism: "{{ env('PARALLELISM', 4) }}"
        ```
    """

    def __getattr__(self, key: str) -> Any:
        """The variable.

        Args:
            key: Its name.

        Raises:
            AttributeError: For what jinja asks of every object.
        """
        if key.startswith(("jinja", "__")):
            raise AttributeError(key)
        from dagster_rocky.yaml.undefined import Unset  # noqa: PLC0415 - only a template needs it

        value = os.environ.get(key)
        return Unset(name=key, hint=unset(key)) if value is None else value

    def __call__(self, key: str, default: Any = ...) -> Any:
        """The variable, or what stands for it when it is not set.

        Args:
            key: Its name.
            default: What stands for it.
        """
        return getattr(self, key) if default is ... else os.environ.get(key, default)


def unset(name: str) -> str:
    """What to do about an environment variable that is not set.

    Args:
        name: Its name.
    """
    return (
        f"the environment variable {name} is not set. Set it, for example in the project's .env, or give a default: "
        f"{{{{ env('{name}', 'value') }}}}."
    )


class StrictResolutionContext(ResolutionContext):
    """Dagster's resolution context, with three differences.

    `raw/{{ typo }}` is an error that names file, line and the variables there are, where Dagster renders `raw/`. An
    environment variable that is not set is one too. And each template is compiled once, which counts when a
    translation is applied to thousands of assets.
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
            scope={**context.scope, "env": SetVariables()} if "env" in context.scope else context.scope,
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
            raise self._told(error.message or str(error)) from None
        except ResolutionException:
            raise
        except TemplateError as error:
            raise self._told(f"{val!r} is no template: {str(error).rstrip('.')}.") from None
        except Exception:
            raise self._scope_threw_exc(traceback.format_exception(*sys.exc_info())) from None
        if isinstance(rendered, Undefined):
            raise self._told(rendered._undefined_message)
        return rendered

    def _told(self, said: str) -> WrongYaml:
        name, is_undefined, _ = said.partition(" is undefined")
        if is_undefined:
            word = name.strip("'")
            said = f"there is no variable `{word}`. {instead(word, self.scope)}"
        return WrongYaml([place(self, self._field(), said)])

    def _field(self) -> tuple[str | int, ...]:
        """The field as it is in the file; Dagster's path has a part twice where a resolver is inside another."""
        tree = self.source_position_tree
        path: list[str | int] = []
        for part in self.path:
            if tree is not None and part in tree.children:
                tree = tree.children[part]
                path.append(part)
        return tuple(path[1:])
