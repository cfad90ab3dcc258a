"""language: script text and a vocabulary to a program, or to every problem that can be found without a message.

*Takes*: the octets of a script, a `Vocabulary` made for it.
*Gives*: `Checked`: phrases, problems, and a `Program` where none of them is an error.
*Imports*: itself, the leaves; the package sievelib, in `syntax.py` alone.
*Never*: sees a message, opens anything, names an extension.
*Begin at*: `checking.py` (a phrase becomes a word), then `extension.py` (every seam), `grammar.py` (fields are grammar).

On the way: `tokens.py`, `syntax.py` (sievelib's grammar, places, recovery), `phrases.py`, `vocabulary.py`, `checking.py`,
`program.py`.
"""
