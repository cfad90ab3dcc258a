"""extending: the names an extension may use. Its only import from this project; it holds no logic.

Declare with `Extension`, its fields with `tag`, `choice`, `optional`; build tests that match on `Matching` (values of the
message) or `MatchingValues` (any others). README.rst shows a whole extension.
"""

from sieveav.language.checking import Given, Use
from sieveav.language.extension import OF_A_MESSAGE, OF_A_RECIPIENT, PHASES, Extension
from sieveav.language.grammar import choice, optional, tag
from sieveav.language.problems import Severity, Span
from sieveav.language.program import Block, Strings, Test, Tests
from sieveav.limits import (
    FLAGS_LENGTH,
    FOREVERYPART_NESTING,
    MATCH_VARIABLES,
    VARIABLE_NAME,
    VARIABLE_VALUE,
    VARIABLES,
)
from sieveav.mime import Part, decode_words, fields, unfold, walk
from sieveav.options import BOOLEAN, INTEGER, SECONDS, SIZE, TEXT, TEXTS, Option, integer, one_of
from sieveav.running.addresses import Address, outbound
from sieveav.running.addresses import envelope as envelope_address
from sieveav.running.base import check_names, upper
from sieveav.running.globs import Tick
from sieveav.running.matching import (
    Captures,
    Comparator,
    Match,
    Matches,
    Matching,
    MatchingValues,
    comparator,
    match_type,
)
from sieveav.running.message import AddressValues, Fields, Fold, HeaderValues, Message, names_of
from sieveav.running.outcome import Action, Discard, Refuse, Response, Send, Store, mailbox_flaw, response
from sieveav.running.questions import Mailbox, Scan, Scanned
from sieveav.running.runner import Run
from sieveav.verdict import FOUND, UNSCANNABLE, Status, Verdict, merge, plain

__all__ = [
    "BOOLEAN",
    "FLAGS_LENGTH",
    "FOREVERYPART_NESTING",
    "FOUND",
    "INTEGER",
    "MATCH_VARIABLES",
    "OF_A_MESSAGE",
    "OF_A_RECIPIENT",
    "PHASES",
    "SECONDS",
    "SIZE",
    "TEXT",
    "TEXTS",
    "UNSCANNABLE",
    "VARIABLES",
    "VARIABLE_NAME",
    "VARIABLE_VALUE",
    "Action",
    "Address",
    "AddressValues",
    "Block",
    "Captures",
    "Comparator",
    "Discard",
    "Extension",
    "Fields",
    "Fold",
    "Given",
    "HeaderValues",
    "Mailbox",
    "Match",
    "Matches",
    "Matching",
    "MatchingValues",
    "Message",
    "Option",
    "Part",
    "Refuse",
    "Response",
    "Run",
    "Scan",
    "Scanned",
    "Send",
    "Severity",
    "Span",
    "Status",
    "Store",
    "Strings",
    "Test",
    "Tests",
    "Tick",
    "Use",
    "Verdict",
    "check_names",
    "choice",
    "comparator",
    "decode_words",
    "envelope_address",
    "fields",
    "integer",
    "mailbox_flaw",
    "match_type",
    "merge",
    "names_of",
    "one_of",
    "optional",
    "outbound",
    "plain",
    "response",
    "tag",
    "unfold",
    "upper",
    "walk",
]
