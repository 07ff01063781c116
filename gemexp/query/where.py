"""The where-language: text to a query, ``lr > 0.01 and (tag = best or metric.sharpe >= 1)``.

``docs/reference/where.md`` describes it. Only this module knows lark, and is imported only where there is an expression
to read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from gemexp.errors import InvalidPath, InvalidQuery
from gemexp.notation import inline
from gemexp.paths import parse_path
from gemexp.query import fields
from gemexp.query.literals import NOW, NUMBER, Literal, Misread, text_of, unquote, value_of
from gemexp.query.syntax import (
    KEYWORDS,
    PLAIN_KEY,
    Compare,
    Exists,
    Field,
    In,
    Like,
    Not,
    Operator,
    Query,
    conjunction,
    disjunction,
)

MAX_CHARACTERS: Final = 512 * 1024
MAX_DEPTH: Final = 64

_QUOTED_KEY = r'"(?:[^"\\]|\\.)*"'
_KEY = f"(?:{PLAIN_KEY}|{_QUOTED_KEY})"
_END = r"""(?![^\s"'\[\]<>!(),=])"""
_GRAMMAR = rf"""
?start: disjunction
?disjunction: conjunction (_OR conjunction)*
?conjunction: negation (_AND negation)*
?negation: NOT negation -> negation
         | atom
?atom: "(" disjunction ")"
     | _EXISTS field -> exists
     | field _EXISTS -> exists
     | field OPERATOR value -> comparison
     | field _IN items -> membership
     | field NOT _IN items -> membership
     | field LIKE value -> likeness
     | field NOT LIKE value -> likeness
items: "[" (item ("," item)*)? "]"
field: PATH
value: STRING
     | WORD AGO?
item: STRING
    | WORD AGO?

PATH: /{_KEY}(?:\.{_KEY}|\[[0-9]+\])*/s
WORD: /[^\s()\[\],"'=<>!]+/
STRING: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/s
OPERATOR: /==|!=|<=|>=|=|<|>/
AGO: /-\s*[0-9]+\s*[a-z]+/
_AND.2: /and{_END}/i
_OR.2: /or{_END}/i
NOT.2: /not{_END}/i
_IN.2: /in{_END}/i
LIKE.2: /like{_END}/i
_EXISTS.2: /exists{_END}/i
%ignore /\s+/
"""

_OPERATORS: Final[dict[str, Operator]] = {"=": "=", "==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def parse(text: str, *, now: datetime | None = None) -> Query:
    """Read an expression.

    Args:
        text: The expression.
        now: What ``now`` means in it, with a zone; the current time if not given.

    Raises:
        InvalidQuery: It cannot be read; ``column`` says where.
    """
    if not isinstance(text, str):
        raise InvalidQuery(f"a query is text, not {type(text).__name__}", text="", column=1)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidQuery(
            "the query is not text: it holds a lone surrogate", text=text, column=error.start + 1
        ) from None
    if len(text) > MAX_CHARACTERS:
        raise InvalidQuery(f"the query is longer than {MAX_CHARACTERS} characters", text=text, column=MAX_CHARACTERS)
    if not text.strip():
        raise InvalidQuery("the query is empty", text=text, column=1, hint="such as: lr > 0.01 and tag = best")
    token = NOW.set(datetime.now(UTC) if now is None else now.astimezone(UTC))
    try:
        return cast("_Part", _parser().parse(text)).query
    except Misread as error:
        raise InvalidQuery(error.message, text=text, column=error.position + 1, hint=error.hint) from None
    except UnexpectedInput as error:
        raise _unexpected(error, text) from None
    finally:
        NOW.reset(token)


class _Part(NamedTuple):
    """A part of a query that has been read, where it begins, and how deep it is nested."""

    query: Query
    position: int
    depth: int


class _Place(NamedTuple):
    """A field, and where it stands."""

    field: Field
    position: int


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(
        _GRAMMAR,
        parser="lalr",
        lexer="contextual",
        maybe_placeholders=False,
        transformer=_Builder(),
        lexer_callbacks={"PATH": _refuse_keyword, "WORD": _refuse_keyword},
    )


class _Builder(Transformer[Token, _Part]):
    """Makes a query while the text is read, from the innermost part outwards."""

    def disjunction(self, parts: list[_Part]) -> _Part:
        return _joined(parts, disjunction(*(part.query for part in parts)))

    def conjunction(self, parts: list[_Part]) -> _Part:
        return _joined(parts, conjunction(*(part.query for part in parts)))

    def negation(self, children: list[Any]) -> _Part:
        token, part = children
        return _joined([part], Not(part.query), token.start_pos)

    def exists(self, children: list[_Place]) -> _Part:
        (place,) = children
        return _Part(Exists(place.field), place.position, 1)

    def comparison(self, children: list[Any]) -> _Part:
        (field, position), sign, raw = children
        if sign == "!=":
            return _denied(Compare(field, "=", value_of(field, raw)), position)
        operator = _OPERATORS[sign]
        if operator != "=" and not fields.is_ordered(field):
            raise Misread(sign.start_pos, f"'{field}' has no order", f"it can be compared with {_comparisons(field)}")
        return _Part(Compare(field, operator, value_of(field, raw, ordered=operator != "=")), position, 1)

    def membership(self, children: list[Any]) -> _Part:
        field, position = children[0]
        query = In(field, tuple(value_of(field, raw) for raw in children[-1]))
        return _denied(query, position) if len(children) > 2 else _Part(query, position, 1)

    def likeness(self, children: list[Any]) -> _Part:
        (field, position), raw, token = children[0], children[-1], children[-2]
        if not fields.is_textual(field):
            raise Misread(token.start_pos, f"'{field}' is no text", f"it can be compared with {_comparisons(field)}")
        query = Like(field, text_of(raw))
        return _denied(query, position) if len(children) > 3 else _Part(query, position, 1)

    def items(self, children: list[Literal]) -> list[Literal]:
        return children

    def field(self, children: list[Token]) -> _Place:
        (token,) = children
        position = token.start_pos or 0
        if NUMBER.fullmatch(token):
            hint = f"as in lr > {token}; a key that looks like a number is quoted"
            raise Misread(position, f"'{token}' is a number, and a comparison begins with a path", hint)
        try:
            path = parse_path(token)
            "".join(map(str, path)).encode()
            return _Place(fields.find(path), position)
        except UnicodeEncodeError:
            raise Misread(position, "a key of the path is not text: it holds a lone surrogate") from None
        except InvalidPath as error:
            raise Misread(position, error.message, error.hint) from None
        except fields.Misnamed as error:
            raise Misread(position, error.message, error.hint) from None

    def value(self, children: list[Token]) -> Literal:
        token, position = children[0], children[0].start_pos or 0
        if token.type == "STRING":
            return Literal(unquote(str(token), position), quoted=True, position=position)
        for ago in children[1:]:
            return Literal(str(token), quoted=False, position=position, ago=str(ago), ago_position=ago.start_pos or 0)
        return Literal(str(token), quoted=False, position=position)

    item = value


def _comparisons(field: Field) -> str:
    """Return which comparisons make sense of a field, for people."""
    found = ["=", "!="]
    if fields.is_ordered(field):
        found += ["<", "<=", ">", ">="]
    return ", ".join([*found, "in", *(["like"] if fields.is_textual(field) else [])])


def _joined(parts: list[_Part], query: Query, position: int | None = None) -> _Part:
    start = parts[0].position if position is None else position
    depth = 1 + max(part.depth for part in parts)
    if depth > MAX_DEPTH:
        raise Misread(start, f"the query is nested deeper than {MAX_DEPTH} levels", "leave out parentheses")
    return _Part(query, start, depth)


def _denied(atom: Compare | In | Like, position: int) -> _Part:
    """Return the query of ``!=``, ``not in`` or ``not like``: there is a value, and the comparison is false."""
    if fields.may_lack(atom.field):
        return _Part(conjunction(Exists(atom.field), Not(atom)), position, 3)
    return _Part(Not(atom), position, 2)


def _refuse_keyword(token: Token) -> Token:
    if token.lower() in KEYWORDS:
        wanted = "a path" if token.type == "PATH" else "a value"
        message = f"{wanted} is expected here, and '{token}' is a word of the language"
        raise Misread(token.start_pos or 0, message, f'quoted it is {wanted}: "{token}"')
    return token


def _unexpected(error: UnexpectedInput, text: str) -> InvalidQuery:
    """Say what was expected where the parser could not go on."""
    position, expected, found = len(text.rstrip()), set[str](), ""
    if isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        if error.token.type != "$END":
            position, found = error.token.start_pos or 0, str(error.token)
    elif isinstance(error, UnexpectedCharacters):
        expected = error.allowed or set()
        position, found = error.pos_in_stream or 0, error.char
    if found in ("'", '"') and expected & {"STRING", "PATH"}:
        what = 'a key of a path is quoted by "' if found == "'" and "PATH" in expected else None
        return InvalidQuery(f"the {found} has no counterpart", text=text, column=position + 1, hint=what)
    what, hint = _expected(expected, found)
    message = (
        f"cannot read on at {inline(found[:40])}: {what} is expected" if found else f"{what} is expected at the end"
    )
    return InvalidQuery(message, text=text, column=position + 1, hint=hint)


def _expected(terminals: set[str], found: str) -> tuple[str, str | None]:
    if "WORD" in terminals:
        return "a value", "a number, text, true, false, null, or a time"
    if "LSQB" in terminals:
        return "a list", "such as [3, 5]"
    if "OPERATOR" in terminals and found.startswith("."):
        return "a key after the dot", 'one with other signs is quoted: a."b c"'
    if "OPERATOR" in terminals:
        return "a comparison", "one of = != < <= > >=, in, not in, like, exists"
    if "PATH" in terminals:
        quoted = found.startswith("'")
        return "a path", 'a key of a path is quoted by "' if quoted else "such as lr, tag or metric.sharpe"
    if "_IN" in terminals:
        return "'in' or 'like'", "not x = 1 is written with 'not' in front, or as x != 1"
    if "RSQB" in terminals:
        what = "',' or ']'"
    else:
        what = " or ".join(["'and'", "'or'", *(["')'"] if "RPAR" in terminals else [])])
    return what, "text with other signs, such as blanks and =, is quoted" if found else None
