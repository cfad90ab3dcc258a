"""completing: all commands' parsers to completion scripts for bash, zsh and fish.

The scripts contain the words of the commands that are installed when they are made, so that completing starts no program.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sieveav.frontends.arguments import FILES
from sieveav.frontends.command import all_parsers


@dataclass(frozen=True)
class _Argument:
    """An argument of a command: its option strings, none if it is positional; its help; whether it takes a value; the words
    that may be its value, and whether a file may be."""

    options: tuple[str, ...]
    help: str
    takes_value: bool
    words: tuple[str, ...]
    is_file: bool


@dataclass(frozen=True)
class _Command:
    name: str
    summary: str
    arguments: tuple[_Argument, ...]


_WORD = re.compile(r"[A-Za-z0-9:._/=+-]+")
"""Words that need no quotes in any shell; others are not completed."""


def _commands() -> Iterator[_Command]:
    for command, parser in all_parsers():
        arguments = tuple(_argument(action) for action in parser._actions)  # argparse has no public name for them
        yield _Command(command.name, _text(command.summary), arguments)


def _argument(action: argparse.Action) -> _Argument:
    words = action.choices if action.choices is not None else getattr(action, "completer", tuple)()
    return _Argument(
        tuple(option for option in action.option_strings if _WORD.fullmatch(option)),
        _text(action.help or ""),
        action.nargs != 0,
        tuple(word for word in map(str, words) if _WORD.fullmatch(word)),
        action.metavar in FILES,
    )


def _text(text: str) -> str:
    """The first clause of a help text, without what a shell would read as more than text."""
    return re.sub(r"[^\w ,./+-]", "", re.split(r"[;(]", text)[0]).strip()


def script(shell: str) -> str:
    """The completion script for a shell of `SHELLS`."""
    return "\n".join(SHELLS[shell](list(_commands()))) + "\n"


# ---- bash


def _bash(commands: list[_Command]) -> Iterator[str]:
    yield "# bash completion of sieveav; made by: sieveav completion bash"
    yield "_sieveav() {"
    yield "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words= files= colon="
    # to readline, : and = are words of their own
    yield "    case $word in"
    yield "        :) colon=: ;;"
    yield "        =) word= ;;"
    yield "        *) case $before in"
    yield "            :) colon=: word=:$word before=${COMP_WORDS[COMP_CWORD-2]} ;;"
    yield "            =) before=${COMP_WORDS[COMP_CWORD-2]} ;;"
    yield "        esac ;;"
    yield "    esac"
    yield "    COMPREPLY=()"
    yield '    if [ "$COMP_CWORD" -eq 1 ]; then'
    yield f"        words='{' '.join([*(c.name for c in commands), '--help', '--version'])}'"
    yield "    else"
    yield '        case "${COMP_WORDS[1]} $before" in'
    for command in commands:
        for argument in command.arguments:
            if argument.options and argument.takes_value:
                patterns = "|".join(f"'{command.name} {option}'" for option in argument.options)
                yield f"        {patterns}) {_bash_values(argument)} ;;"
    for command in commands:
        options = " ".join(option for argument in command.arguments for option in argument.options)
        positional = [argument for argument in command.arguments if not argument.options]
        yield f"        '{command.name} '*)"
        yield f"            if [[ $word == -?* ]]; then words='{options}'"
        for argument in positional[:1]:
            yield f"            else {_bash_values(argument)}"
        yield "            fi ;;"
    yield "        esac"
    yield "    fi"
    yield '    [ -z "$words" ] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")'
    yield '    [ -z "$files" ] || { compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word"); }'
    yield '    [ -z "$colon" ] || COMPREPLY=("${COMPREPLY[@]#:}")'
    yield "}"
    yield "complete -F _sieveav sieveav"


def _bash_values(argument: _Argument) -> str:
    return "files=1" if argument.is_file else f"words='{' '.join(argument.words)}'"


# ---- zsh


def _zsh(commands: list[_Command]) -> Iterator[str]:
    yield "#compdef sieveav"
    yield "# zsh completion of sieveav; made by: sieveav completion zsh"
    yield "_sieveav() {"
    yield "    local -a commands"
    yield "    commands=("
    yield from (f"        '{command.name}:{command.summary}'" for command in commands)
    yield "    )"
    yield "    if (( CURRENT == 2 )); then"
    yield "        _describe command commands"
    yield "        _arguments '--help' '--version'"
    yield "        return"
    yield "    fi"
    yield "    local command=$words[2]"
    yield "    shift words"
    yield "    (( CURRENT-- ))"
    yield "    case $command in"
    for command in commands:
        yield f"    {command.name}) _arguments -s -S \\"
        for argument in command.arguments:
            yield from (f"        {spec} \\" for spec in _zsh_specs(argument))
        yield "        ;;"
    yield "    esac"
    yield "}"
    # the file is the body of the function at its first call, unless it is sourced
    yield 'if [[ $funcstack[1] == _sieveav ]]; then _sieveav "$@"; else compdef _sieveav sieveav; fi'


def _zsh_specs(argument: _Argument) -> Iterator[str]:
    words = " ".join(word.replace(":", "\\:") for word in argument.words)
    values = "_files" if argument.is_file else f"({words})" if words else " "
    if not argument.options:
        yield f"'*:{argument.help}:{values}'"
    for option in argument.options:
        yield f"'*{option}[{argument.help}]{f':value:{values}' if argument.takes_value else ''}'"


# ---- fish


def _fish(commands: list[_Command]) -> Iterator[str]:
    yield "# fish completion of sieveav; made by: sieveav completion fish"
    yield "complete -c sieveav -f"
    yield "complete -c sieveav -n __fish_use_subcommand -l help -d 'show help'"
    yield "complete -c sieveav -n __fish_use_subcommand -l version -d 'show the version'"
    for command in commands:
        yield f"complete -c sieveav -n __fish_use_subcommand -a {command.name} -d '{command.summary}'"
    for command in commands:
        for argument in command.arguments:
            parts = [f"complete -c sieveav -n '__fish_seen_subcommand_from {command.name}'"]
            parts += [
                f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}" for option in argument.options
            ]
            if argument.takes_value and argument.options:
                parts.append("-r")
            if argument.is_file:
                parts.append("-F")
            if argument.words:
                parts.append(f"-a '{' '.join(argument.words)}'")
            yield " ".join([*parts, f"-d '{argument.help}'"])


SHELLS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
