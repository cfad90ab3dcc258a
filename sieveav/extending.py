"""extending: the names an extension may use. Its only import from this project; it holds no logic.

Declare with `Extension`, its fields with `tag`, `choice`, `optional`; build tests that match on `Matching` (values of the
message) or `MatchingValues` (any others). README.rst shows a whole extension.
"""

from sieveav.headers import decode_words, fields, unfold
from sieveav.language.extension import OF_A_MESSAGE, OF_A_RECIPIENT, PHASES, Extension
from sieveav.language.grammar import choice, optional, tag
from sieveav.language.problems import Severity, Span
from sieveav.language.program import Block, Strings, Template, Test, Tests, is_settled
from sieveav.language.use import Given, Use
from sieveav.limits import (
    FLAGS_LENGTH,
    FOREVERYPART_NESTING,
    MATCH_VARIABLES,
    VARIABLE_NAME,
    VARIABLE_VALUE,
    VARIABLES,
)
from sieveav.mime import Part, disposition_of, media_type_of, parameters_of, walk
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
from sieveav.running.message import AddressValues, Asked, Entity, Fields, Fold, HeaderValues, Message, names_of, shared
from sieveav.running.outcome import Action, Discard, Refuse, Response, Send, Store, mailbox_flaw, response
from sieveav.running.questions import Mailbox, Scan, Scanned
from sieveav.running.runner import Run
from sieveav.running.variables import check_variable, cut
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
    "Asked",
    "Block",
    "Captures",
    "Comparator",
    "Discard",
    "Entity",
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
    "Template",
    "Test",
    "Tests",
    "Tick",
    "Use",
    "Verdict",
    "check_names",
    "check_variable",
    "choice",
    "comparator",
    "cut",
    "decode_words",
    "disposition_of",
    "envelope_address",
    "fields",
    "integer",
    "is_settled",
    "mailbox_flaw",
    "match_type",
    "media_type_of",
    "merge",
    "names_of",
    "one_of",
    "optional",
    "outbound",
    "parameters_of",
    "plain",
    "response",
    "shared",
    "tag",
    "unfold",
    "upper",
    "walk",
]
