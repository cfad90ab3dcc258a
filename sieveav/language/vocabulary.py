"""vocabulary: the words currently available to a script: the base's, and those of the extensions it has required.

What is not required is not known (RFC 5228, 2.10.5); the library of all extensions serves for hints only, except in a
dialect that needs no `require`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from sieveav.language.extension import Declared, Extension
from sieveav.language.program import Amender
from sieveav.options import Option
from sieveav.plugins import identifier


class Library(Protocol):
    """Where extensions are found."""

    def find(self, capability: str) -> Extension | None:
        """The extension of that capability, loaded if need be."""
        ...

    def later(self, capability: str) -> bool:
        """Whether `capability` is known to be missing: a real one, which this version does not have."""
        ...

    def everything(self) -> Mapping[str, Extension]:
        """All extensions by capability, sorted."""
        ...


class Settings(Mapping[str, Any]):
    """The settings of one extension: what the host gives, else the defaults. A live view of the host's mapping."""

    def __init__(self, given: Mapping[str, Mapping[str, Any]], extension: Extension) -> None:
        self._given = given
        self._capability = extension.capability
        self._options: Mapping[str, Option] = extension.settings

    def __getitem__(self, name: str) -> Any:
        given = self._given.get(self._capability)
        return given[name] if given is not None and name in given else self._options[name].default

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)

    def __hash__(self) -> int:  # by identity: what a subject that depends on settings is told apart by
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class Vocabulary:
    """The words known in one script.

    `names` are the families' members that the host knows (`{"engines": ("clamav", "yara")}`), `settings` the values of
    extensions' settings by capability and name where they are not the defaults (the mapping stays the host's, changes are
    seen), `phase` the phase that the script is for, `dialect` "" or the name of one.
    """

    def __init__(
        self,
        base: Iterable[Extension],
        library: Library,
        *,
        names: Mapping[str, Sequence[str]] | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        phase: str = "each_rcpt",
        dialect: str = "",
    ) -> None:
        self.library = library
        self.names = names or {}
        self.phase = phase
        self.dialect = dialect
        self.capabilities: set[str] = set()
        self.conditional: dict[str, frozenset[str]] = {}
        """The capabilities that the script has only asked for, each with those asked for that bring it: see
        `learn_if_there`."""
        self.deferring = False
        """Whether an unknown word is an error only when it is met (`Extension.defers`)."""
        self.commands: dict[str, Declared] = {}
        self.tests: dict[str, Declared] = {}
        self.tags: dict[str, dict[str, Declared]] = {}
        self.choices: dict[str, dict[str, Declared]] = {}
        self.namespaces: dict[str, Declared] = {}
        self.readers: list[Declared] = []
        self.collisions: list[str] = []
        """What two required extensions both bring, in words, not reported so far."""
        self._given_settings = settings if settings is not None else {}
        self._settings: dict[str, Settings] = {}
        self._amenders: list[Declared] = []
        self._tags_on: dict[str, dict[str, Declared]] = {}
        """Word -> its foreign tags, as long as nothing is learnt."""
        for extension in base:
            self.learn(extension)
        if dialect:  # a dialect needs no require: its words, tests and match types are there; readers are not
            for extension in library.everything().values():
                self.learn(extension, required=False)

    def require(self, capability: str) -> bool:
        """Learn the words of `capability`, and of those it implies; False when there is no such thing."""
        if capability in self.capabilities:
            self.conditional.pop(capability, None)
            return True
        extension = self.library.find(capability)
        if extension is None:
            return False
        self.learn(extension)
        known = [self.require(implied) for implied in extension.implies]  # all of them, even after one that is not
        return all(known)

    def learn_if_there(self, capabilities: Iterable[str]) -> bool:
        """Learn the words of all of `capabilities`, or of none: RFC 5463, 4. False when one is missing, or changes how
        scripts are read."""
        brought: dict[str, dict[str, Extension]] = {}
        for asked in capabilities:
            found = self._brought(asked)
            if found is None:
                return False
            brought[asked] = found
        for asked, found in brought.items():
            for capability, extension in found.items():
                if capability not in self.capabilities:
                    self.learn(extension)
                self.conditional[capability] = self.conditional.get(capability, frozenset()) | {asked}
        return True

    def _brought(self, capability: str) -> dict[str, Extension] | None:
        """What comes with `capability`, itself the first, beside what is required; None when any of it is missing, or
        changes how scripts are read."""
        found: dict[str, Extension] = {}
        names = [capability]
        for name in names:
            if name in found or (name in self.capabilities and name not in self.conditional):
                continue
            extension = self.library.find(name)
            if extension is None or any(declared.seam == "reader" for declared in extension.declared):
                return None
            found[name] = extension
            names += extension.implies
        return found

    def learn(self, extension: Extension, *, required: bool = True) -> None:
        """Add what `extension` declares."""
        if required and extension.capability:  # the base has none
            self.capabilities.add(extension.capability)
        if required and extension.defers:
            self.deferring = True
        for declared in extension.declared:
            self._learn(declared, required)
        self._tags_on.clear()

    def settings(self, extension: Extension) -> Settings:
        """The settings of `extension`: the same view for every word of the script."""
        view = self._settings.get(extension.capability)
        if view is None:
            view = self._settings[extension.capability] = Settings(self._given_settings, extension)
        return view

    def _learn(self, declared: Declared, required: bool) -> None:
        seam, name = declared.seam, declared.name
        if seam == "tag":
            for word in declared.on:
                self._add(self.tags.setdefault(word, {}), declared, required, f"the tag {name} of {word}")
        elif seam == "choice":
            self._add(self.choices.setdefault(declared.kind, {}), declared, required, f"{declared.kind} {name}")
        elif seam == "reader":
            active = declared.dialect == self.dialect if declared.dialect else required
            if active and declared not in self.readers:
                self.readers = sorted([*self.readers, declared], key=lambda reader: reader.order)
        elif seam == "family":
            for word, command in _members(declared, self.names):
                self.commands[word] = command
        elif seam == "amender":
            if declared not in self._amenders:
                self._amenders = sorted([*self._amenders, declared], key=lambda amender: amender.order)
        else:
            tables = {"test": self.tests, "namespace": self.namespaces}
            self._add(tables.get(seam, self.commands), declared, required, f"the {seam} {name}")

    def _add(self, table: dict[str, Declared], declared: Declared, required: bool, what: str) -> None:
        """Add a declaration to a table. Two required extensions may bring the same thing only if it is one class."""
        other = table.get(declared.name)
        if other is not None and other.made is not declared.made and other.extension is not declared.extension:
            if not required:
                return
            if other.extension.capability in self.capabilities or not other.extension.capability:
                brought = f'by "{other.extension.capability}"' if other.extension.capability else "by the base language"
                self.collisions.append(f'{what} is brought by "{declared.extension.capability}" and {brought}')
        table[declared.name] = declared

    def alike(self, declared: Declared) -> list[str]:
        """The word's own name and those whose foreign tags it takes too (`like`), each once."""
        names = [declared.name]
        for name in names:
            other = declared if name == declared.name else self.commands.get(name) or self.tests.get(name)
            names += [like for like in (other.like if other else ()) if like not in names]
        return names

    def tags_on(self, declared: Declared, written: Iterable[str]) -> dict[str, Declared]:
        """The foreign tags that the word takes where the tags `written` are on it."""
        tags = self._tags_on.get(declared.name)
        if tags is None:
            tags = self._tags_on[declared.name] = self._joined(self.alike(declared))
        return {**tags, **self._joined(written)} if written else tags

    def _joined(self, names: Iterable[str]) -> dict[str, Declared]:
        return {name: declared for carrier in names for name, declared in self.tags.get(carrier, {}).items()}

    def carriers(self, tag: str, taken: Iterable[str]) -> list[str]:
        """Those of the tags `taken` beside which `tag` would be allowed."""
        return [carrier for carrier in taken if tag in self.tags.get(carrier, {})]

    def amenders(self) -> dict[str, tuple[Amender, ...]]:
        """What amends the actions of which word, by its name."""
        amenders: dict[str, tuple[Amender, ...]] = {}
        if self._amenders:
            for name, command in self.commands.items():
                alike = self.alike(command)
                found = [a for a in self._amenders if not set(alike).isdisjoint(a.on)]
                if found:
                    amenders[name] = tuple(Amender(a.made, a.unless) for a in found)
        return amenders

    def requiring(self, seam: str, name: str, *, on: str = "", kind: str = "") -> str:
        """The hint which `require` would bring the word, tag or choice `name`, "" when none would; all extensions are
        searched."""
        for extension in self.library.everything().values():
            if any(self._brings(declared, seam, name, on, kind) for declared in extension.declared):
                return f'write: require "{extension.capability}";'
        return ""

    def _brings(self, declared: Declared, seam: str, name: str, on: str, kind: str) -> bool:
        if declared.seam == "family":
            return seam == "action" and any(
                _member_word(declared, member) == name for member in self.names.get(declared.family, ())
            )
        same = declared.seam == seam or {declared.seam, seam} == {"action", "command"}
        return same and declared.name == name and declared.kind == kind and (not on or on in declared.on)


def _member_word(family: Declared, member: str) -> str:
    return family.name.replace("{}", identifier(member))


def _members(family: Declared, names: Mapping[str, Sequence[str]]) -> Iterable[tuple[str, Declared]]:
    """The words of a family: one for each name that the host gives."""
    for member in names.get(family.family, ()):
        word = _member_word(family, member)
        made = type(word, (family.made,), {"member": member, "__doc__": family.made.__doc__})
        yield word, Declared("action", word, made, family.extension, phases=family.phases)
