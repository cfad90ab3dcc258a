"""include: run another script at this point, the user's own or one of the site's (RFC 6609).

    require ["include", "variables"];
    global "mailbox";
    include :global "spam_tests";
    include :once :optional "mailing_lists";
    if string :is "${mailbox}" "" { set "mailbox" "INBOX"; }

:personal scripts, which are meant unless a tag says otherwise, are the user's, :global ones the site's, the same for all
users. An included script has its own require; `return` ends it, `stop` ends all scripts. What it does with the message
counts as if the including script had done it. Its variables are its own, except those that `global` shares among all
scripts of the run; `${global.name}` is such a variable too. In a loop over parts (foreverypart), it sees the part as though
that were the whole message.
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
include.setting(Option("max_includes", integer(0, 10_000), 255, "scripts that one run includes"))
include.setting(
    Option("max_nesting_depth", integer(2, 10), 10, "included scripts within one another")  # RFC 6609, 3.1: at least 2
)

NAME_LENGTH = 128
"""Characters of a script's name. RFC 5804, 1.6: a server allows so many."""

_NOT_IN_A_NAME = frozenset({"Cc", "Cn", "Cs", "Zl", "Zp"})
"""General categories of characters that no name has. RFC 5804, 1.6: control characters, line and paragraph separators;
RFC 5198, 2: unassigned ones, and what is not UTF-8."""

_HOSTILE = ("/", "\\", "`", "$(")
"""What has a meaning where scripts are stored, or in a shell."""


def name_flaw(name: str) -> str:
    """What is wrong with a script's name. RFC 6609, 3.2: it is one of ManageSieve (RFC 5804, 1.6); 4: safe to look for."""
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
    """What a run has included so far."""

    def __init__(self) -> None:
        self.paths: set[str] = set()
        """The paths of all scripts that were included."""
        self.count = 0
        self.frames: list[Frame] = []
        """The included scripts that we are in, the outermost first."""
        self._scripts: dict[Script, Checked | None] = {}

    def script(self, run: Run, asked: Script) -> Checked | None:
        """The script of that name: all through the run the same, looked for once."""
        if asked not in self._scripts:
            self._scripts[asked] = run.ask(asked)
        return self._scripts[asked]


class Frame:
    """One included script being run."""

    def __init__(self, including: str, path: str) -> None:
        self.including = including
        """The path of the script that includes it."""
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
    """include: run the script of this name, then go on. A script that is missing is a run-time error, with :optional it is
    passed over; so is with :once a script that has been included before. RFC 6609, 3.2."""

    location: OfUser | OfSite = choice("location", ":personal")
    once: bool = tag(":once")
    optional: bool = tag(":optional")
    script: str = value(valid=name_flaw, hint="write the name of a script, without a folder")

    def check(self, use: Use) -> None:
        for name in use.constants("script"):  # RFC 6609, 3.2: a constant string
            # RFC 6609, 3.1: that a script is missing is no error yet; whoever checks scripts may follow the names
            use.mentions("optional script" if self.optional else "script", name, self.location.location)

    def run(self, run: Run) -> None:
        included = run.memory(Included)
        checked = included.script(run, Script(self.script, self.location.location))
        if checked is None:
            if self.optional:  # RFC 6609, 3.2
                run.explain(self, "there is none", str(self))
                return
            run.fail(f"there is no {self}", self)
        frames = included.frames
        path = checked.source.path
        recursive = path == run.program.source.path or any(path in (frame.path, frame.including) for frame in frames)
        if self.once and (recursive or path in included.paths):  # RFC 6609, 3.2: recursive is included before, too
            run.explain(self, "included before", str(self))
            return
        if recursive:  # RFC 6609, 3.1
            run.fail(f"the {self} includes itself", self)
        if len(frames) >= self.settings["max_nesting_depth"]:  # RFC 6609, 3.1
            run.fail(f"more than {self.settings['max_nesting_depth']} included scripts within one another", self)
        included.count += 1
        if included.count > self.settings["max_includes"]:
            run.fail(f"more than {self.settings['max_includes']} scripts included", self)
        if checked.program is None:  # RFC 6609, 3.2: it must be a valid script
            run.fail(f"the {self} does not check: {first_error(checked)}", self)
        included.paths.add(path)
        run.explain(self, "included", str(self))
        frame = Frame(run.program.source.path, path)
        frames.append(frame)
        try:
            with run.leaving(frame), run.within(checked.program, part_of(run)):
                checked.program.block.run(run)
        finally:
            frames.pop()

    def __str__(self) -> str:
        return f'{self.location.location} script "{self.script}"'


def first_error(checked: Checked) -> str:
    """The first problem of a script that is an error, and its line."""
    problem = checked.first_error
    return f"line {checked.source.position(problem.span.start).line}: {problem.message}"


def part_of(run: Run) -> Entity | None:
    """The part that a loop is at, which the included script sees as though it were the whole message; None where it is the
    message itself. RFC 6609, 3.5."""
    part = run.focus(PART)
    return part if isinstance(part, Entity) and part.path else None


@include.command("return", phases=PHASES)
class Return(Word):
    """return: the included script ends here, and the one that includes it goes on; in the main script it is stop.
    RFC 6609, 3.3."""

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
        """`name` is global from here on. RFC 5229, 6: a limit, as for the variables of one script."""
        self._names.add(name.lower())
        if len(self._names) > VARIABLES:
            run.fail(f"more than {VARIABLES} global variables")


class Declared(set[str]):
    """The names that the script being checked has declared global, in lower case."""


@include.command("global", phases=PHASES)
class Global(Word):
    """global: from here on, the variables of these names are those of all scripts of the run that have them global. It is
    used before the script sets them. RFC 6609, 3.4.1."""

    names: Strings

    def check(self, use: Use) -> None:
        if not use.requires("variables"):  # RFC 6609, 3.4.1
            message = "global is allowed only with variables"
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
            use.complain(span, f'there is no variable "global.{rest[:60]}"', hint, rule="variable-name")
        else:
            check_variable(use, Given(rest, span), is_set=False)

    def value(self, run: Run, rest: str) -> str:
        return run.memory(Shared)[rest.lower()]

    def set(self, run: Run, rest: str, text: str) -> None:
        shared = run.memory(Shared)
        shared.declare(run, rest)
        shared[rest] = text
