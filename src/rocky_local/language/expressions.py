"""How an expression of the pipeline language is read: from tokens to sqlglot's expressions."""

import re
from collections.abc import Callable
from typing import TypeVar

from sqlglot import exp

from rocky_local.errors import NotAQuery
from rocky_local.language.tokens import Token, error_at, spelt, tokenize

T = TypeVar("T")
Operators = dict[str, type[exp.Expression]]
_OR: Operators = {"or": exp.Or}
_AND: Operators = {"and": exp.And}
_SUM: Operators = {"+": exp.Add, "-": exp.Sub}
_PRODUCT: Operators = {"*": exp.Mul, "/": exp.Div, "%": exp.Mod}
_COMPARISON: Operators = {
    **{"==": exp.EQ, "!=": exp.NullSafeNEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE},
    "like": exp.Like,
}
_WORDS: dict[str, Callable[[], exp.Expression]] = {"null": exp.null, "true": exp.true, "false": exp.false}
_MOST_NESTED = 25


class ExpressionParser:
    """A place in a text and what can be read there.

    Example:
        >>> ExpressionParser('a != 2 and b is null').expression().sql("duckdb")
        'a IS DISTINCT FROM 2 AND b IS NULL'
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokenize(source)
        self._next = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._next]

    def advance(self) -> Token:
        """Return the next token and go past it."""
        token = self.token
        self._next += token.kind != "End"
        return token

    def accept(self, text: str) -> bool:
        """Go past the next token if it is this one; return whether it was."""
        found = self.token.text == text
        self._next += found
        return found

    def expect(self, text: str) -> None:
        """Go past a token that has to be there."""
        if not self.accept(text):
            raise self.unexpected(spelt(text))

    def name(self) -> str:
        """Read a name."""
        if self.token.kind != "Ident":
            raise self.unexpected("identifier")
        return self.advance().text

    def unexpected(self, expected: str, shown_offset: int | None = None) -> NotAQuery:
        """Return the error that something else was expected here."""
        found = "" if self.token.kind == "End" else f", found {self.token.shown}"
        return error_at(self._source, self.token.start, f"expected {expected}{found}", shown_offset)

    def block(self, item: Callable[[], T], *, at_least: int = 0) -> tuple[T, ...]:
        """Read `{ item, … }`; the commas may be left out."""
        self.expect("{")
        items: list[T] = []
        while len(items) < at_least or not self.accept("}"):
            items.append(item())
            self.accept(",")
        return tuple(items)

    def listed(self, item: Callable[[], T], *stops: str) -> tuple[T, ...]:
        """Read `item, …`, up to a comma before one of the words that stop the list."""
        items = [item()]
        while self.token.text == "," and self._tokens[self._next + 1].text not in stops:
            self.advance()
            items.append(item())
        return tuple(items)

    def expression(self) -> exp.Expression:
        """Read any expression."""
        return self._left(_OR, lambda: self._left(_AND, self._negation))

    def column(self) -> exp.Column:
        """Read `name` or `table.name`."""
        first = self.name()
        return exp.column(self.name(), table=first) if self.accept(".") else exp.column(first)

    def sort_key(self) -> exp.Ordered:
        """Read what to order by: descending with a `-` before it or `desc` behind it."""
        minus, key = self.accept("-"), self.expression()
        descending = self.accept("desc") or (not self.accept("asc") and minus)
        return exp.Ordered(this=key, desc=descending or None)

    def _left(self, operators: Operators, operand: Callable[[], exp.Expression]) -> exp.Expression:
        found = operand()
        while operator := operators.get(self.token.text):
            self.advance()
            found = operator(this=found, expression=operand())
        return found

    def _negation(self) -> exp.Expression:
        negations = 0
        while self.accept("not"):
            negations += 1
        found = self._comparison(self._sum())
        return exp.Not(this=found) if negations % 2 else found

    def _comparison(self, left: exp.Expression) -> exp.Expression:
        """Read what a value is compared with, if it is."""
        if self.accept("is"):
            negated = self.accept("not")
            self.expect("null")
            return exp.Is(this=left, expression=exp.Not(this=exp.null()) if negated else exp.null())
        if self.accept("not"):
            if self.token.text not in ("in", "between", "like"):
                raise self.unexpected("in, between or like")
            return exp.Not(this=self._comparison(left))
        if self.accept("in"):
            self.expect("(")
            values = self.listed(self.expression)
            self.expect(")")
            return exp.In(this=left, expressions=list(values))
        if self.accept("between"):
            low = self._sum()
            self.expect("and")
            return exp.Between(this=left, low=low, high=self._sum())
        if operator := _COMPARISON.get(self.token.text):
            self.advance()
            return operator(this=left, expression=self._sum())
        return left

    def _sum(self) -> exp.Expression:
        return self._left(_SUM, lambda: self._left(_PRODUCT, self._signed))

    def _signed(self) -> exp.Expression:
        negative = False
        while self.accept("-"):
            negative = not negative
        self._depth += 1
        if self._depth > _MOST_NESTED:
            problem = f"expressions are nested more than {_MOST_NESTED} deep"
            raise error_at(self._source, self.token.start, problem)
        value = self._value()
        self._depth -= 1
        return exp.Neg(this=value) if negative else value

    def _value(self) -> exp.Expression:
        token = self.token
        if token.kind == "Ident":
            return self._call() if self._tokens[self._next + 1].text == "(" else self.column()
        if self.accept("match"):
            return self._match()
        if self.accept("("):
            inner = self.expression()
            self.expect(")")
            return exp.paren(inner, copy=False)
        made: dict[str, Callable[[], exp.Expression]] = {
            "Number": lambda: exp.Literal.number(token.text),
            "String": lambda: exp.Literal.string(re.sub(r'\\(["\\])', r"\1", token.text[1:-1])),
            "Date": lambda: exp.cast(exp.Literal.string(token.text[1:]), "DATE"),
            "Timestamp": lambda: exp.cast(exp.Literal.string(token.text[1:]), "TIMESTAMP"),
            "Variable": lambda: exp.var(token.text),
        }
        make = made.get(token.kind) or _WORDS.get(token.text)
        if make is None:
            raise self.unexpected("expression")
        self.advance()
        return make()

    def _call(self) -> exp.Expression:
        name = self.name().upper()
        self.expect("(")
        arguments: list[exp.Expression] = []
        if self.accept("distinct"):
            arguments.append(exp.Distinct(expressions=list(self.listed(self.expression))))
        elif self.accept("*"):
            arguments.append(exp.Star())
        elif self.token.text != ")":
            arguments += self.listed(self.expression)
        self.expect(")")
        call = exp.Anonymous(this=name, expressions=arguments)
        return self._window(call) if self.accept("over") else call

    def _window(self, call: exp.Expression) -> exp.Window:
        """Read `(partition a, b, sort -c, rows from..to)`, each part of which may be left out."""
        window = exp.Window(this=call)
        self.expect("(")
        if self.accept("partition"):
            window.set("partition_by", list(self.listed(self.expression, "sort", "rows")))
            self.accept(",")
        if self.accept("sort"):
            window.set("order", exp.Order(expressions=list(self.listed(self.sort_key, "rows"))))
            self.accept(",")
        if self.accept("rows"):
            start, start_side = self._bound("PRECEDING")
            self.expect("..")
            end, end_side = self._bound("FOLLOWING")
            sides = {"start_side": start_side, "end_side": end_side}
            window.set("spec", exp.WindowSpec(kind="ROWS", start=start, end=end, **sides))
        self.expect(")")
        return window

    def _bound(self, side: str) -> tuple[str | exp.Expression, str | None]:
        if self.accept("current"):
            return "CURRENT ROW", None
        if self.accept("unbounded"):
            return "UNBOUNDED", side
        if self.token.kind != "Number":
            raise self.unexpected("frame bound (unbounded, current or a number)")
        return exp.Literal.number(self.advance().text), side

    def _match(self) -> exp.Expression:
        subject, found = self._sum(), exp.Case(ifs=[])

        def arm() -> None:
            if self.accept("_"):
                self.expect("=>")
                found.set("default", self.expression())
                return
            test = self._comparison(value := subject.copy())
            if test is value:
                test = exp.EQ(this=value, expression=self._sum())
            self.expect("=>")
            found.append("ifs", exp.If(this=test, true=self.expression()))

        self.block(arm, at_least=1)
        return found if found.args["ifs"] else found.args["default"]
