"""vocabulary: the extensions that a script has required to the words it may use.

A word whose extension is not required is unknown (RFC 5228, 2.10.5). The library of all extensions is used for hints only,
except in a dialect that needs no `require`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from sieveav.language.extension import Declared, Extension
from sieveav.language.program import Amender
from sieveav.options import Option
from sieveav.plugins import identifier

Names = Sequence[str] | Mapping[str, str]
"""Names that the host gives to a family of words; with a mapping, each with the pattern of its word."""


class Library(Protocol):
    """Where extensions are found."""

    def find(self, capability: str) -> Extension | None:
        """The extension of that capability, imported if necessary; None if there is none."""
        ...

    def later(self, capability: str) -> bool:
        """Whether `capability` is a documented one that this version does not support."""
        ...

    def everything(self) -> Mapping[str, Extension]:
        """All extensions by capability, sorted."""
        ...


class Settings(Mapping[str, Any]):
    """The settings of one extension: the host's values, else the defaults. A live view of the host's mapping."""

    def __init__(self, values: Mapping[str, Mapping[str, Any]], extension: Extension) -> None:
        self._values = values
        self._capability = extension.capability
        self._options: Mapping[str, Option] = extension.settings

    def __getitem__(self, name: str) -> Any:
        values = self._values.get(self._capability)
        return values[name] if values is not None and name in values else self._options[name].default

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)

    def __hash__(self) -> int:  # by identity: subjects that depend on settings are compared by it
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


class Vocabulary:
    """The words available to one script.

    `names` are the members of families that the host knows (`{"engines": ("clamav", "yara")}`). `settings` are the values of
    extensions' settings that are not the defaults, by capability and name; changes of the mapping are seen. `phase` is the
    phase in which the script runs, `dialect` is "" or the name of one.
    """

    def __init__(
        self,
        base: Iterable[Extension],
        library: Library,
        *,
        names: Mapping[str, Names] | None = None,
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
        """The capabilities that the script has only asked for, each with the ones asked for that imply it: see
        `learn_if_available`."""
        self.deferring = False
        """Whether an unknown word is an error only when it runs (`Extension.defers`)."""
        self.commands: dict[str, Declared] = {}
        self.tests: dict[str, Declared] = {}
        self.tags: dict[str, dict[str, Declared]] = {}
        """Word or tag -> the foreign tags on it, by name."""
        self.choices: dict[str, dict[str, Declared]] = {}
        """Kind -> its choices by name."""
        self.namespaces: dict[str, Declared] = {}
        self.readers: list[Declared] = []
        self.collisions: list[str] = []
        """What two required extensions both define, in words; not reported so far."""
        self._host_settings = settings if settings is not None else {}
        self._settings: dict[str, Settings] = {}
        self._amenders: list[Declared] = []
        self._families: list[Declared] = []
        self._tags_on: dict[str, dict[str, Declared]] = {}
        """Word -> its foreign tags, until an extension is learnt."""
        for extension in base:
            self.learn(extension)
        if dialect:  # a dialect needs no require for words, tests and match types; it does for readers
            for extension in library.everything().values():
                self.learn(extension, required=False)

    def require(self, capability: str) -> bool:
        """Learn the words of `capability`, and of those it implies. False if an extension is missing."""
        if capability in self.capabilities:
            self.conditional.pop(capability, None)
            return True
        extension = self.library.find(capability)
        if extension is None:
            return False
        self.learn(extension)
        learnt = [self.require(implied) for implied in extension.implies]  # all of them, even if one is missing
        return all(learnt)

    def learn_if_available(self, capabilities: Iterable[str]) -> bool:
        """Learn the words of all of `capabilities`, or of none: RFC 5463, 4. False if one is missing, or changes how
        scripts are read."""
        learning: dict[str, dict[str, Extension]] = {}
        for asked in capabilities:
            extensions = self._with_implied(asked)
            if extensions is None:
                return False
            learning[asked] = extensions
        for asked, extensions in learning.items():
            for capability, extension in extensions.items():
                if capability not in self.capabilities:
                    self.learn(extension)
                self.conditional[capability] = self.conditional.get(capability, frozenset()) | {asked}
        return True

    def _with_implied(self, capability: str) -> dict[str, Extension] | None:
        """The extensions of `capability` and of what it implies that are not required so far, by capability. None if any of
        them is missing, or changes how scripts are read."""
        extensions: dict[str, Extension] = {}
        names = [capability]
        for name in names:
            if name in extensions or (name in self.capabilities and name not in self.conditional):
                continue
            extension = self.library.find(name)
            if extension is None or any(declared.seam == "reader" for declared in extension.declared):
                return None
            extensions[name] = extension
            names += extension.implies
        return extensions

    def learn(self, extension: Extension, *, required: bool = True) -> None:
        """Add the declarations of `extension`."""
        if required and extension.capability:  # the base has none
            self.capabilities.add(extension.capability)
        if required and extension.defers:
            self.deferring = True
        for declared in extension.declared:
            _LEARN[declared.seam](self, declared, required)
        self._tags_on.clear()

    def settings(self, extension: Extension) -> Settings:
        """The settings of `extension`: the same view for every word of the script."""
        view = self._settings.get(extension.capability)
        if view is None:
            view = self._settings[extension.capability] = Settings(self._host_settings, extension)
        return view

    # one method for each seam

    def _learn_command(self, declared: Declared, required: bool) -> None:
        self._add(self.commands, declared, required, f"{declared.seam} {declared.name}")

    def _learn_test(self, declared: Declared, required: bool) -> None:
        self._add(self.tests, declared, required, f"test {declared.name}")

    def _learn_family(self, declared: Declared, required: bool) -> None:  # noqa: ARG002
        self._families.append(declared)
        for word, command in _members(declared, self.names):
            self.commands[word] = command

    def _learn_tag(self, declared: Declared, required: bool) -> None:
        for word in declared.on:
            self._add(self.tags.setdefault(word, {}), declared, required, f"tag {declared.name} of {word}")

    def _learn_choice(self, declared: Declared, required: bool) -> None:
        what = f"{declared.kind.replace('_', ' ')} {declared.name}"
        self._add(self.choices.setdefault(declared.kind, {}), declared, required, what)

    def _learn_namespace(self, declared: Declared, required: bool) -> None:
        self._add(self.namespaces, declared, required, f"namespace {declared.name}")

    def _learn_reader(self, declared: Declared, required: bool) -> None:
        active = declared.dialect == self.dialect if declared.dialect else required
        if active and declared not in self.readers:
            self.readers = sorted([*self.readers, declared], key=lambda reader: reader.order)

    def _learn_amender(self, declared: Declared, required: bool) -> None:  # noqa: ARG002
        if declared not in self._amenders:
            self._amenders = sorted([*self._amenders, declared], key=lambda amender: amender.order)

    def _add(self, table: dict[str, Declared], declared: Declared, required: bool, what: str) -> None:
        """Add a declaration to a table. Two required extensions may define the same thing only if it is one class."""
        other = table.get(declared.name)
        if other is not None and other.made is not declared.made and other.extension is not declared.extension:
            if not required:
                return
            if other.extension.capability in self.capabilities or not other.extension.capability:
                first = f'"{other.extension.capability}"' if other.extension.capability else "the base language"
                self.collisions.append(f'{first} and "{declared.extension.capability}" both define the {what}')
        table[declared.name] = declared

    def alike(self, declared: Declared) -> list[str]:
        """The word's own name and those whose foreign tags it takes too (`like`), each once."""
        names = [declared.name]
        for name in names:
            other = declared if name == declared.name else self.commands.get(name) or self.tests.get(name)
            names += [like for like in (other.like if other else ()) if like not in names]
        return names

    def tags_on(self, declared: Declared, written: Iterable[str]) -> dict[str, Declared]:
        """The foreign tags that a word takes, by name, where the tags `written` are on it."""
        tags = self._tags_on.get(declared.name)
        if tags is None:
            tags = self._tags_on[declared.name] = self._joined(self.alike(declared))
        return {**tags, **self._joined(written)} if written else tags

    def _joined(self, names: Iterable[str]) -> dict[str, Declared]:
        return {name: declared for carrier in names for name, declared in self.tags.get(carrier, {}).items()}

    def carriers(self, tag: str, tags: Iterable[str]) -> list[str]:
        """Those of `tags` beside which `tag` would be allowed."""
        return [carrier for carrier in tags if tag in self.tags.get(carrier, {})]

    def amenders(self) -> dict[str, tuple[Amender, ...]]:
        """The amenders of each word's actions, by the name of the word."""
        amenders: dict[str, tuple[Amender, ...]] = {}
        if self._amenders:
            for name, command in self.commands.items():
                alike = self.alike(command)
                applying = [a for a in self._amenders if not set(alike).isdisjoint(a.on)]
                if applying:
                    amenders[name] = tuple(Amender(a.made, a.unless) for a in applying)
        return amenders

    def missing_member(self, word: str) -> tuple[str, Sequence[str]] | None:
        """If `word` has the form of a family's words, but the host does not give its name: what is wrong, and the names that
        the host gives. Else None."""
        for family in self._families:
            head, _, tail = family.name.partition("{}")
            name = word[len(head) : len(word) - len(tail)]
            if family.missing and name and word == f"{head}{name}{tail}":
                return family.missing.replace("{}", name), tuple(self.names.get(family.family, ()))
        return None

    def capability_of(self, seam: str, name: str, *, on: str = "", kind: str = "") -> str:
        """The capability that defines the word, tag or choice `name`, "" if none does. Searches all extensions."""
        for extension in self.library.everything().values():
            if any(self._defines(declared, seam, name, on, kind) for declared in extension.declared):
                return extension.capability
        return ""

    def _defines(self, declared: Declared, seam: str, name: str, on: str, kind: str) -> bool:
        if declared.seam == "family":
            return seam == "action" and name in _words(declared, self.names)
        same = declared.seam == seam or {declared.seam, seam} == {"action", "command"}
        return same and declared.name == name and declared.kind == kind and (not on or on in declared.on)


_LEARN: Mapping[str, Callable[[Vocabulary, Declared, bool], None]] = {
    "action": Vocabulary._learn_command,
    "command": Vocabulary._learn_command,
    "test": Vocabulary._learn_test,
    "family": Vocabulary._learn_family,
    "tag": Vocabulary._learn_tag,
    "choice": Vocabulary._learn_choice,
    "namespace": Vocabulary._learn_namespace,
    "reader": Vocabulary._learn_reader,
    "amender": Vocabulary._learn_amender,
}
"""Seam -> how its declarations are learnt."""


def require_hint(capability: str) -> str:
    """The hint to require `capability`."""
    return f'write: require "{capability}";'


def _words(family: Declared, names: Mapping[str, Names]) -> dict[str, str]:
    """Word -> member of a family: one for each name that the host gives. A name can have a pattern of its own; with "" it has
    no word."""
    members = names.get(family.family, ())
    patterns = members if isinstance(members, Mapping) else dict.fromkeys(members, family.name)
    return {pattern.replace("{}", identifier(member)): member for member, pattern in patterns.items() if pattern}


def _members(family: Declared, names: Mapping[str, Names]) -> Iterable[tuple[str, Declared]]:
    """The words of a family, each declared as an action."""
    for word, member in _words(family, names).items():
        made = type(word, (family.made,), {"member": member, "__doc__": family.made.__doc__})
        yield word, Declared("action", word, made, family.extension, phases=family.phases)
