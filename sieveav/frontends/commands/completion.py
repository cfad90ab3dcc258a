"""completion: print a script that makes a shell complete command lines of sieveav

It completes commands, options, their values, the names of files, and what sieveav explain explains. Make it again after
installing another version or a package with commands.

    bash   sieveav completion bash > ~/.local/share/bash-completion/completions/sieveav
    zsh    sieveav completion zsh > ~/.zfunc/_sieveav    (a folder of fpath)
    fish   sieveav completion fish > ~/.config/fish/completions/sieveav.fish

Exit status: 0; 2 for wrong use.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from sieveav.frontends import completing
from sieveav.frontends.command import Command
from sieveav.frontends.output import print_lines


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(completing.SHELLS), help="the shell")


def run(args: Namespace) -> int:
    print_lines([completing.script(args.shell).rstrip("\n")])
    return 0


command = Command("completion", arguments, run)
