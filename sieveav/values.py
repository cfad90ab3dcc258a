"""values: a base class for small immutable values: an annotated attribute is a field, as in a dataclass.

A leaf. There are many such classes in what every start of the program imports, and a frozen dataclass takes most of a
millisecond to be made; one of these takes some microseconds.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self, dataclass_transform


@dataclass_transform(frozen_default=True)
class Value:
    """A value: made of its fields in their order, or by name; equal to one of the same class with equal fields.

    `class Name(Value, aside=("field",))`: fields that are outside of equality and of what is shown.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _compared: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, aside: tuple[str, ...] = (), **more: Any) -> None:
        super().__init_subclass__(**more)
        stated = vars(cls).get("__annotations__", {})
        own = tuple(name for name, annotation in stated.items() if not str(annotation).startswith("ClassVar"))
        cls._fields = (*cls._fields, *own)
        cls._compared = (*cls._compared, *(name for name in own if name not in aside))
        cls._defaults = {**cls._defaults, **{name: cls.__dict__[name] for name in own if name in cls.__dict__}}

    def __init__(self, *values: Any, **named: Any) -> None:
        given = dict(zip(self._fields, values, strict=False))
        fields = {**self._defaults, **given, **named}
        if len(values) > len(self._fields) or not given.keys().isdisjoint(named) or len(fields) != len(self._fields):
            raise TypeError(f"{type(self).__name__} is made of {', '.join(self._fields)}")
        self.__dict__.update(fields)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")

    def changed(self, **changes: Any) -> Self:
        """The value with some fields changed."""
        return type(self)(**{**{name: self.__dict__[name] for name in self._fields}, **changes})

    def _key(self) -> tuple[Any, ...]:
        return tuple([self.__dict__[name] for name in self._compared])

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._key() == self._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={self.__dict__[name]!r}' for name in self._compared)})"
