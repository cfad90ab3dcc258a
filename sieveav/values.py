"""values: a base class for small immutable values: an annotated attribute is a field, as in a dataclass.

A leaf. Every start of the program imports many such classes. Each takes some microseconds to define, a frozen dataclass
most of a millisecond.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self, dataclass_transform


@dataclass_transform(frozen_default=True)
class Value:
    """A value: its constructor takes the fields in order or by name; values of one class with equal fields are equal.

    `class Name(Value, aside=("field",))`: fields that are neither compared nor shown.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _compared: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, aside: tuple[str, ...] = (), **more: Any) -> None:
        super().__init_subclass__(**more)
        annotations = vars(cls).get("__annotations__", {})
        own = tuple(name for name, annotation in annotations.items() if not str(annotation).startswith("ClassVar"))
        cls._fields = (*cls._fields, *own)
        cls._compared = (*cls._compared, *(name for name in own if name not in aside))
        cls._defaults = {**cls._defaults, **{name: cls.__dict__[name] for name in own if name in cls.__dict__}}

    def __init__(self, *values: Any, **named: Any) -> None:
        positional = dict(zip(self._fields, values, strict=False))
        fields = {**self._defaults, **positional, **named}
        too_many = len(values) > len(self._fields) or not positional.keys().isdisjoint(named)
        if too_many or len(fields) != len(self._fields):
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(self._fields)}")
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
