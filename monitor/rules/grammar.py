"""The closed expression grammar of checks: a tokenizer and a recursive-descent parser, never Python's.

    check   = expr relation expr                    relation = "<=" | ">=" | "<" | ">" | "=="
    expr    = term { ("+" | "-") term }             term     = factor { "*" factor }
    factor  = NUMBER | operand | call | "(" expr ")"
    call    = "sum" "(" series ")" | ("min" | "max") "(" expr { "," expr } ")"
            | "clamp" "(" expr "," expr "," expr ")"
    series  = ("A" | "E") "." (CLASS | PREFIX "*")
    operand = "L" | "T" | ("A" | "E") "." CLASS | ("declared" | "cover" | "param" | "reserve") "." NAME

Numbers are plain decimals. There is no division, so nothing is rounded and nothing divides by zero,
and no sign: what is negative is subtracted. The worst that any text can do is raise GrammarError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

#: classes of holdings: the cust_… are customers'; guarantee, own and reserve never count as theirs
CLASSES = ("cust_cold", "cust_hot", "cust_third", "cust_staked", "guarantee", "own", "reserve")
#: cover against loss; all in the valuation currency
COVER = ("total", "insurance_limit", "reserve")
#: what the reserve engine computes; all in the valuation currency
RESERVE = ("eligible", "required", "insurance_credit", "net", "accrual")
FUNCTIONS = ("sum", "min", "max", "clamp")
RELATIONS = ("<=", ">=", "==", "<", ">")

#: A rule that needs more is two rules.
LONGEST = 2_000
MOST_TOKENS = 300
DEEPEST = 20
#: digits before and after the point: together they fit any amount of any asset
_TOKEN = re.compile(
    r"[ \t\r\n]*(?:(?P<number>(?:0|[1-9][0-9]{0,38})(?:\.[0-9]{1,38})?)(?![0-9A-Za-z_.])"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]{0,62})(?![A-Za-z0-9_])|(?P<sign><=|>=|==|[<>+\-*(),.]))"
)
_SPACE = " \t\r\n"


class GrammarError(Exception):
    """An expression that cannot be used: what is wrong, and at which character (from 0)."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"at character {position + 1}: {message}")
        self.message, self.position = message, position


@dataclass(frozen=True, slots=True)
class Number:
    """A constant without a unit."""

    value: Decimal
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Operand:
    """``kind``: L, T, A, E, declared, cover, param or reserve; ``name``: its class or name ("" for L and T)."""

    kind: str
    name: str
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}" if self.name else self.kind


@dataclass(frozen=True, slots=True)
class Sum:
    """All holdings of the classes that ``pattern`` (a class, or a prefix and ``*``) names; of ``kind`` A or E."""

    kind: str
    pattern: str
    position: int = field(default=0, compare=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the pattern names; never empty."""
        return matching(self.pattern)


@dataclass(frozen=True, slots=True)
class Call:
    """min, max or clamp of its arguments; clamp takes a value, a lower and an upper bound."""

    function: str
    arguments: tuple[Expression, ...]
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Product:
    """Two factors or more."""

    factors: tuple[Expression, ...]
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Addition:
    """Two terms or more; ``signs`` has one of "+" and "-" for each, and begins with "+"."""

    signs: tuple[str, ...]
    terms: tuple[Expression, ...]
    position: int = field(default=0, compare=False)


Expression = Number | Operand | Sum | Call | Product | Addition


@dataclass(frozen=True, slots=True)
class Comparison:
    """A whole check: ``left`` is its value, ``right`` its threshold."""

    left: Expression
    relation: str
    right: Expression
    position: int = field(default=0, compare=False)


def matching(pattern: str) -> tuple[str, ...]:
    """The classes that a class or a prefix with ``*`` names."""
    if pattern.endswith("*"):
        return tuple(name for name in CLASSES if name.startswith(pattern[:-1]))
    return tuple(name for name in CLASSES if name == pattern)


def leaves(expression: Expression) -> Iterator[Number | Operand | Sum]:
    """Every constant, operand and sum of an expression, from left to right."""
    if isinstance(expression, Number | Operand | Sum):
        yield expression
        return
    for part in parts(expression):
        yield from leaves(part)


def parts(expression: Call | Product | Addition) -> tuple[Expression, ...]:
    """The expressions directly inside one."""
    if isinstance(expression, Call):
        return expression.arguments
    return expression.factors if isinstance(expression, Product) else expression.terms


def parse(text: str) -> Comparison:
    """The comparison that ``text`` states. Raises GrammarError, and nothing else, for any other text."""
    return _Parser(_tokens(text), len(text)).comparison()


@dataclass(frozen=True, slots=True)
class _Token:
    """``kind``: number, name, sign or end."""

    kind: str
    text: str
    position: int


def _tokens(text: str) -> list[_Token]:
    if len(text) > LONGEST:
        raise GrammarError(f"longer than {LONGEST} characters: split the check", LONGEST)
    found: list[_Token] = []
    position, end = 0, len(text.rstrip(_SPACE))
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            start = position + len(text[position:]) - len(text[position:].lstrip(_SPACE))
            raise GrammarError(f"{text[start : start + 12]!r} cannot be read: {_instead(text[start])}", start)
        kind = match.lastgroup or ""
        found.append(_Token(kind, match[kind], match.start(kind)))
        position = match.end()
        if len(found) > MOST_TOKENS:
            raise GrammarError(f"more than {MOST_TOKENS} words and signs: split the check", match.start(kind))
    return found


def _instead(character: str) -> str:
    if character in "/÷":
        return "there is no division; write a ratio limit as a product, e.g. hot <= 0.05 * total"
    if character in "−–×·":
        return "write - and * of plain ASCII"
    if character.isdigit():
        return "write plain decimals, e.g. 0.05, without exponent, separator or leading zero"
    return "write operands, numbers, + - * ( ) and one of <= >= < > =="


class _Parser:
    """Goes over the tokens once; the depth of nesting is bounded, so the recursion is too."""

    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens = [*tokens, _Token("end", "", length)]
        self._at = 0
        self._depth = 0

    def comparison(self) -> Comparison:
        left = self._expr()
        token = self._next()
        if token.text not in RELATIONS:
            raise GrammarError(f"{_shown(token)} stands where one of {' '.join(RELATIONS)} must", token.position)
        right = self._expr()
        if self._peek.kind != "end":
            raise GrammarError(
                f"{_shown(self._peek)} stands after the end of the check: remove it", self._peek.position
            )
        return Comparison(left, token.text, right)

    @property
    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _take(self, sign: str, after: str) -> None:
        token = self._next()
        if token.text != sign:
            raise GrammarError(f"{_shown(token)} stands where {sign!r} must, after {after}", token.position)

    def _expr(self) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise GrammarError(f"nested deeper than {DEEPEST} levels: write it flatter", self._peek.position)
        start = self._peek.position
        signs, terms = ["+"], [self._term()]
        while self._peek.text in {"+", "-"}:
            signs.append(self._next().text)
            terms.append(self._term())
        self._depth -= 1
        return terms[0] if len(terms) == 1 else Addition(tuple(signs), tuple(terms), start)

    def _term(self) -> Expression:
        start = self._peek.position
        factors = [self._factor()]
        while self._peek.text == "*":
            self._next()
            factors.append(self._factor())
        return factors[0] if len(factors) == 1 else Product(tuple(factors), start)

    def _factor(self) -> Expression:
        token = self._next()
        if token.kind == "number":
            return Number(Decimal(token.text), token.position)
        if token.kind == "name":
            return self._call(token) if self._peek.text == "(" else self._operand(token)
        if token.text == "(":
            inside = self._expr()
            self._take(")", "an expression in brackets")
            return inside
        raise GrammarError(f"{_shown(token)} stands where a number or an operand must", token.position)

    def _call(self, name: _Token) -> Expression:
        if name.text not in FUNCTIONS:
            raise GrammarError(f"{name.text} is no function: write one of {', '.join(FUNCTIONS)}", name.position)
        self._take("(", name.text)
        if name.text == "sum":
            made: Expression = self._series(name)
        else:
            arguments = [self._expr()]
            while self._peek.text == ",":
                self._next()
                arguments.append(self._expr())
            if name.text == "clamp" and len(arguments) != 3:
                raise GrammarError(
                    f"clamp has {len(arguments)} arguments: write clamp(value, low, high)", name.position
                )
            made = Call(name.text, tuple(arguments), name.position)
        self._take(")", f"the arguments of {name.text}")
        return made

    def _series(self, name: _Token) -> Sum:
        kind = self._next()
        if kind.text not in {"A", "E"}:
            raise GrammarError(f"{_shown(kind)} cannot be summed: write A.CLASS, E.CLASS or E.cust_*", kind.position)
        self._take(".", kind.text)
        word = self._next()
        pattern = word.text
        if word.kind == "name" and self._peek.text == "*":
            pattern += self._next().text
        if word.kind != "name" or not matching(pattern):
            raise GrammarError(f"{_shown(word)} names no class: write one of {', '.join(CLASSES)}", word.position)
        return Sum(kind.text, pattern, name.position)

    def _operand(self, token: _Token) -> Operand:
        kind = token.text
        if kind in {"L", "T"}:
            return Operand(kind, "", token.position)
        known = {"A": CLASSES, "E": CLASSES, "cover": COVER, "reserve": RESERVE, "declared": None, "param": None}
        if kind not in known:
            raise GrammarError(
                f"{kind} is no operand: write L, T, A.CLASS, E.CLASS, declared.NAME, cover.NAME, param.NAME "
                "or reserve.NAME",
                token.position,
            )
        self._take(".", kind)
        name, names = self._next(), known[kind]
        if name.kind == "name" and self._peek.text == "*" and kind in {"A", "E"} and name.text not in CLASSES:
            raise GrammarError(f"several classes are added by sum: write sum({kind}.{name.text}*)", name.position)
        if name.kind != "name" or (names is not None and name.text not in names):
            allowed = "a name" if names is None else f"one of {', '.join(names)}"
            raise GrammarError(f"{_shown(name)} stands after {kind}. where {allowed} must", name.position)
        return Operand(kind, name.text, token.position)


def _shown(token: _Token) -> str:
    return "the end" if token.kind == "end" else repr(token.text)


def show(item: Comparison | Expression) -> str:
    """The text of an expression; parsing it again gives an equal one."""
    if isinstance(item, Comparison):
        return f"{show(item.left)} {item.relation} {show(item.right)}"
    if isinstance(item, Number):
        return format(item.value, "f")
    if isinstance(item, Operand):
        return str(item)
    if isinstance(item, Sum):
        return f"sum({item.kind}.{item.pattern})"
    if isinstance(item, Call):
        return f"{item.function}({', '.join(map(show, item.arguments))})"
    if isinstance(item, Product):
        return " * ".join(_bracketed(each, (Product, Addition)) for each in item.factors)
    shown = [_bracketed(each, (Addition,)) for each in item.terms]
    rest = "".join(f" {sign} {term}" for sign, term in zip(item.signs[1:], shown[1:], strict=True))
    return f"{shown[0]}{rest}"


def _bracketed(expression: Expression, inside: tuple[type, ...]) -> str:
    return f"({show(expression)})" if isinstance(expression, inside) else show(expression)
