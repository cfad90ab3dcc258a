"""include: run another script at this point, a personal or a global one (RFC 6609).

    require ["include", "variables"];
    global "mailbox";
    include :global "spam_tests";
    include :once :optional "mailing_lists";
    if string :is "${mailbox}" "" { set "mailbox" "INBOX"; }

:personal scripts, the default, belong to the user; :global scripts belong to the site and are the same for all users. An
included script has its own require. `return` ends it, `stop` ends all scripts. Its actions count as those of the including
script. Its variables are its own, except those that `global` shares among all scripts of the run; `${global.name}` is such
a variable too. Inside foreverypart, an included script sees the current part as if it were the whole message.

Momentum's ec_include includes a global script: `ec_include "spam_tests";`. The name of the word is Momentum's, its argument
that of this implementation.
"""

from __future__ import annotations

import unicodedata

from sieveav.extending import (
    PART,
    PHASES,
    VARIABLES,
    Checked,
    Choice,
    Entity,
    Extension,
    Given,
    Namespace,
    Option,
    Run,
    Script,
    Span,
    Strings,
    Use,
    Variables,
    Word,
    check_variable,
    choice,
    integer,
    tag,
    value,
    was_set,
)

include = Extension("include", "RFC 6609")
ec_include = Extension("ec_include", "Momentum")
include.rule("global-late", "a variable is set before it is declared global")
include.rule("variables-missing", "the word needs the extension variables")
for each in (include, ec_include):
    each.setting(Option("max_includes", integer(0, 10_000), 255, "the most scripts that one run may include"))
    # RFC 6609, 3.1: at least 2
    each.setting(Option("max_nesting_depth", integer(2, 10), 10, "the deepest nesting of included scripts"))

NAME_LENGTH = 128
"""The most characters in a script's name. RFC 5804, 1.6: a server must allow at least 128."""

_NOT_IN_A_NAME = frozenset({"Cc", "Cn", "Cs", "Zl", "Zp"})
"""Unicode categories that are not allowed in names. RFC 5804, 1.6: control characters, line and paragraph separators;
RFC 5198, 2: unassigned code points, and text that is not UTF-8."""

_HOSTILE = ("/", "\\", "`", "$(")
"""Text with a special meaning in file systems or shells."""


HINT = "write the name of a script, without a folder"


def name_flaw(name: str) -> str:
    """What is wrong with a script's name. RFC 6609, 3.2: a name of ManageSieve (RFC 5804, 1.6); 4: safe to look up."""
    if not name:
        return "script name is empty"
    if len(name) > NAME_LENGTH:
        return f"script name is longer than {NAME_LENGTH} characters"
    if name[0] == "\ufeff" or any(unicodedata.category(c) in _NOT_IN_A_NAME for c in name):
        return "script name contains a control character or is not UTF-8"
    if name[0] == "." or any(text in name for text in _HOSTILE):
        return "script name begins with a dot or contains / \\ ` or $("
    return ""


# ---- include and return, RFC 6609, 3.2 and 3.3


class Included:
    """The scripts that a run has included so far."""

    def __init__(self) -> None:
        self.paths: set[str] = set()
        """The paths of all included scripts."""
        self.count = 0
        self.frames: list[Frame] = []
        """The included scripts being run, the outermost first."""
        self._scripts: dict[Script, Checked | None] = {}

    def script(self, run: Run, question: Script) -> Checked | None:
        """The script of that name, None if there is none. It is looked up once, so it stays the same during the run."""
        if question not in self._scripts:
            self._scripts[question] = run.ask(question)
        return self._scripts[question]


class Frame:
    """One included script being run."""

    def __init__(self, including: str, path: str) -> None:
        self.including = including
        """The path of the including script."""
        self.path = path


@include.choice("location", ":personal")
class OfUser(Choice):
    """:personal: one of the user's own scripts."""

    location = "personal"


@include.choice("location", ":global")
class OfSite(Choice):
    """:global: one of the site's scripts, the same for all users."""

    location = "global"


@include.command("include", phases=PHASES)
class Include(Word):
    """include: run the script of this name, then go on. A missing script is a run-time error; with :optional it is skipped.
    With :once, a script that was included before is skipped. RFC 6609, 3.2."""

    location: OfUser | OfSite = choice("location", ":personal")
    once: bool = tag(":once")
    optional: bool = tag(":optional")
    script: str = value(valid=name_flaw, hint=HINT)

    def check(self, use: Use) -> None:
        for name in use.constants("script"):  # RFC 6609, 3.2: a constant string
            # RFC 6609, 3.1: a missing script is not an error at check time; lint and check-config follow the names
            use.mentions("optional script" if self.optional else "script", name, self.location.location)

    def run(self, run: Run) -> None:
        run_script(self, run, Script(self.script, self.location.location), once=self.once, optional=self.optional)


@ec_include.command("ec_include", phases=PHASES)
class EcInclude(Word):
    """ec_include: run the global script of this name, then go on; a missing script is a run-time error. It is
    `include :global`."""

    script: str = value(valid=name_flaw, hint=HINT)

    def check(self, use: Use) -> None:
        for name in use.constants("script"):
            use.mentions("script", name, OfSite.location)

    def run(self, run: Run) -> None:
        run_script(self, run, Script(self.script, OfSite.location), once=False, optional=False)


def run_script(word: Word, run: Run, asked: Script, *, once: bool, optional: bool) -> None:
    """Run the script that is asked for."""
    name = f'{asked.location} script "{asked.name}"'
    included = run.memory(Included)
    checked = included.script(run, asked)
    if checked is None:
        if optional:  # RFC 6609, 3.2
            run.explain(word, "not found", name)
            return
        run.fail(f"{name} does not exist", word)
    frames = included.frames
    path = checked.source.path
    recursive = path == run.program.source.path or any(path in (frame.path, frame.including) for frame in frames)
    if once and (recursive or path in included.paths):  # RFC 6609, 3.2: a recursive include counts as included before
        run.explain(word, "included before", name)
        return
    if recursive:  # RFC 6609, 3.1
        run.fail(f"{name} includes itself", word)
    if len(frames) >= word.settings["max_nesting_depth"]:  # RFC 6609, 3.1
        run.fail(f"included scripts are nested deeper than {word.settings['max_nesting_depth']}", word)
    included.count += 1
    if included.count > word.settings["max_includes"]:
        run.fail(f"more than {word.settings['max_includes']} included scripts", word)
    if checked.program is None:  # RFC 6609, 3.2: the script must be valid
        run.fail(f"{name} is invalid: {first_error(checked)}", word)
    included.paths.add(path)
    run.explain(word, "included", name)
    frame = Frame(run.program.source.path, path)
    frames.append(frame)
    try:
        with run.leaving(frame), run.within(checked.program, part_of(run)):
            checked.program.block.run(run)
    finally:
        frames.pop()


def first_error(checked: Checked) -> str:
    """The line and message of the first error in a script."""
    problem = checked.first_error
    return f"line {checked.source.position(problem.span.start).line}: {problem.message}"


def part_of(run: Run) -> Entity | None:
    """The current part of a loop, which the included script sees as if it were the whole message; None if that is the
    message itself. RFC 6609, 3.5."""
    part = run.focus(PART)
    return part if isinstance(part, Entity) and part.path else None


@include.command("return", phases=PHASES)
class Return(Word):
    """return: end the included script; the including script goes on. In the main script it acts as stop. RFC 6609, 3.3."""

    def run(self, run: Run) -> None:
        frames = run.memory(Included).frames
        if not frames:
            run.stop()
        run.leave(frames[-1])


# ---- variables that scripts share, RFC 6609, 3.4


class Shared(Variables):
    """The global variables of a run."""

    def __init__(self) -> None:
        super().__init__()
        self._names: set[str] = set()

    def declare(self, run: Run, name: str) -> None:
        """Make `name` global from here on. RFC 5229, 6: limited as the variables of one script are."""
        self._names.add(name.lower())
        if len(self._names) > VARIABLES:
            run.fail(f"more than {VARIABLES} global variables")


class Declared(set[str]):
    """The names that the script being checked has declared global, in lower case."""


@include.command("global", phases=PHASES)
class Global(Word):
    """global: from here on, share the variables of these names with all scripts of the run that declare them global. It
    must come before the script sets them. RFC 6609, 3.4.1."""

    names: Strings

    def check(self, use: Use) -> None:
        if not use.requires("variables"):  # RFC 6609, 3.4.1
            message = "global needs variables"
            use.complain(None, message, 'write: require "variables";', rule="variables-missing")
            return
        declared = use.memory(Declared)
        for name in use.constants("names"):
            if was_set(use, name.value) and name.value.lower() not in declared:
                message = f'variable "{name.value[:60]}" is set before it is declared global'
                use.complain(name, message, "move global to the top of the script", rule="global-late")
            elif check_variable(use, name):
                declared.add(name.value.lower())

    def run(self, run: Run) -> None:
        shared = run.memory(Shared)
        for name in self.names:
            shared.declare(run, name)
            run.variables.share(name, shared)


@include.namespace("global")
class InGlobal(Namespace):
    """`${global.name}`: the global variable of this name. RFC 6609, 3.4.2: it needs no declaration."""

    settable = True

    def check(self, rest: str, use: Use, span: Span) -> None:
        if "." in rest or rest.isdecimal():  # RFC 6609, 3.4.2: an identifier, no sub-namespace
            hint = "a name is letters, digits and _, and does not begin with a digit"
            use.complain(span, f'"global.{rest[:60]}" is not a valid variable name', hint, rule="variable-name")
        else:
            check_variable(use, Given(rest, span), is_set=False)

    def value(self, run: Run, rest: str) -> str:
        return run.memory(Shared)[rest.lower()]

    def set(self, run: Run, rest: str, text: str) -> None:
        shared = run.memory(Shared)
        shared.declare(run, rest)
        shared[rest] = text
