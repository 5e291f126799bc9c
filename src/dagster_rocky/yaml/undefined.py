"""What do templates make of a name that does not exist? An error that says which names do."""

from jinja2 import StrictUndefined
from jinja2.utils import missing

from dagster_rocky.yaml.mistakes import instead


class Undefined(StrictUndefined):
    """A name that does not exist."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint or self._undefined_obj is missing:
            return super()._undefined_message
        names = [name for name in dir(self._undefined_obj) if not name.startswith("_")]
        return f"there is no `{self._undefined_name}` here. {instead(str(self._undefined_name), names)}"


class Unset(Undefined):
    """An environment variable that is not set: good for `or` and `default`, an error where it would be a value."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]
        return False
