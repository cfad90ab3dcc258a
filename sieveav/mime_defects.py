"""mime_defects: what may be wrong about a message's MIME structure, so that mail clients and scanners may differ. A leaf."""

from __future__ import annotations

DEFECTS = {
    "bad-base64": "base64 with other characters, a wrong length or data after padding; some stop there, some continue",
    "bad-content-type": "an invalid Content-Type (RFC 2045, 5.1); some guess, some take text/plain",
    "bad-header-line": "a header line that is not a field: some end the header there, some ignore it",
    "bare-cr": "a CR without LF in the header: some end the line there and see a field that others do not",
    "bare-cr-boundary": "a boundary behind a CR without LF: some end the line there and see a part that others do not",
    "boundary-lookalike": "a line with the boundary and more text: RFC 2046, 5.1.1 allows to compare only the beginning, "
    "but most compare the whole line",
    "content-after-final-boundary": "the epilogue has a boundary or fields of a part: some clients show it",
    "duplicate-boundary": "different boundaries (CVE-2024-28054): some take the first, some the last",
    "duplicate-content-type": "different Content-Type fields: some take the first, some the last",
    "duplicate-disposition": "different Content-Disposition fields: clients may show different file names",
    "duplicate-encoding": "different Content-Transfer-Encoding fields: some decode the body, some do not",
    "empty-boundary": "a multipart with an empty boundary: some split at every line of two hyphens, some never",
    "encoded-multipart": "an encoding other than 7bit, 8bit, binary on a multipart or message (RFC 2045, 6.4 forbids)",
    "header-too-large": "a header block longer than limits.HEADER_BLOCK: a client may see fields that are not read here",
    "hidden-parts": "an encoded multipart or message that has, or may have, other parts once decoded: few clients decode it",
    "message-partial": "a fragment (RFC 2046, 5.2.2): the client joins what a scanner sees piece by piece",
    "missing-boundary": "a multipart without a boundary parameter: some guess it from the first line of two hyphens",
    "no-part": "a multipart whose boundary never begins a part, as in a truncated message",
    "nul": "a NUL in the header: clients written in C end the line there",
    "other-boundary": "no part, but lines that look like another boundary: a client that guesses sees parts",
    "repeated-boundary": "a multipart with the boundary of an enclosing one: some split for the inner, some for the outer",
    "too-deep": "parts nested deeper than limits.MIME_DEPTH, or deep and so large that reading all takes long, left undivided",
    "too-many-parts": "more parts than limits.MIME_PARTS; the rest is one undivided part",
    "unclear-boundary": "a boundary with escapes, RFC 2231 sections, odd characters, or junk beside it or the type: clients "
    "differ",
    "unknown-encoding": "an unregistered encoding: the body is left as it is, others may guess; see `Part.readings`",
    "unterminated-multipart": "a multipart without its final boundary: common; all clients end it with the message",
}
"""Each defect: what it is, and how a scanner and a mail client may see it differently."""

AMBIGUOUS = frozenset(DEFECTS) - {
    "bad-base64",  # lists append footers to base64; `readings` has what others decode
    "bad-content-type",  # names with spaces and without quotes; if it affects a boundary, it is unclear-boundary too
    "duplicate-disposition",
    "encoded-multipart",  # only a wrong label; if it changes the parts, it is hidden-parts too
    "no-part",  # bounces truncate messages; if there may be parts, it is other-boundary too
    "unknown-encoding",  # `utf-8`, `8 bit`, `none`; `readings` has what others decode
    "unterminated-multipart",
}
"""The defects for which a scanner and a mail client may see different parts; the others are ordinary sloppy mail."""

HARMLESS = frozenset({"unterminated-multipart", "no-part", "bad-content-type"})
"""Those that ordinary mail has too (bounces that truncate a message, file names with spaces and no quotes) and that hide
nothing by themselves."""
