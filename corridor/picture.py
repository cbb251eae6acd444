"""Draws a netting as SVG: who owes whom before, and each bank's net position after.

Readable without colour: each currency has its own line style, each number its unit. Pure text in, pure text out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from corridor.money import MINOR_UNIT_DIGITS

WIDTH, HEIGHT = 1080, 560
_CENTRE_X, _CENTRE_Y, _RADIUS, _NODE = 265, 310, 165, 46
_STYLES = (("#1f4e79", ""), ("#b45309", "7 4"), ("#166534", "2 4"))
# Two arrows between the same banks bow apart, so that each keeps its own label.
_BOW = 26


@dataclass(frozen=True, slots=True)
class Owed:
    """One bank owes another ``amount_minor`` of a currency."""

    payer: str
    payee: str
    currency: str
    amount_minor: int


def millions(currency: str, amount_minor: int) -> str:
    """An amount in millions of the currency, e.g. ``4.5``."""
    return f"{amount_minor / 10 ** (MINOR_UNIT_DIGITS[currency] + 6):,.6g}"


def netting_svg(title: str, names: Mapping[str, str], owed: Sequence[Owed]) -> str:
    """Return the picture of a netting.

    Args:
        title: one line.
        names: what to call each bank, by BIC, in the order around the circle (at most eight are readable).
        owed: what is netted; several between the same banks in one currency are added up.
    """
    currencies = sorted({one.currency for one in owed})
    style = {currency: _STYLES[index % len(_STYLES)] for index, currency in enumerate(currencies)}
    gross: dict[tuple[str, str, str], int] = {}
    net = {(bank, currency): 0 for bank in names for currency in currencies}
    for one in owed:
        key = (one.payer, one.payee, one.currency)
        gross[key] = gross.get(key, 0) + one.amount_minor
        net[one.payer, one.currency] -= one.amount_minor
        net[one.payee, one.currency] += one.amount_minor
    parts = [
        _text(WIDTH / 2, 34, title, size=18, weight="bold"),
        _text(_CENTRE_X, 72, "Before: who owes whom (millions)", size=15),
        _text(820, 72, "After: net positions (millions)", size=15),
        *_markers(style),
        *_arrows(names, gross, style),
        *_nodes(names),
        *_bars(names, net, currencies, style),
        *_legend(currencies, style),
    ]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" role="img" aria-label="{escape(title)}">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "middle", weight: str = "normal") -> str:
    halo = ' stroke="white" stroke-width="4" paint-order="stroke"'
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="#111827"{halo}>{escape(text)}</text>'
    )


def _places(names: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """Banks around a circle, the first at the upper left."""
    turn = 2 * math.pi / len(names)
    start = -math.pi / 2 - turn / 2
    return {
        bank: (
            _CENTRE_X + _RADIUS * math.cos(start + index * turn),
            _CENTRE_Y + _RADIUS * math.sin(start + index * turn),
        )
        for index, bank in enumerate(names)
    }


def _markers(style: Mapping[str, tuple[str, str]]) -> list[str]:
    return [
        f'<defs><marker id="arrow-{currency}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0L10 5L0 10z" fill="{colour}"/></marker></defs>'
        for currency, (colour, _) in style.items()
    ]


def _arrows(
    names: Mapping[str, str], gross: Mapping[tuple[str, str, str], int], style: Mapping[str, tuple[str, str]]
) -> list[str]:
    """One bowed arrow for each debt; bows to its own right, so opposite arrows never overlap."""
    places, parts, labels = _places(names), [], []
    for (payer, payee, currency), amount_minor in sorted(gross.items()):
        (x1, y1), (x2, y2) = places[payer], places[payee]
        length = math.hypot(x2 - x1, y2 - y1)
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        middle_x, middle_y = (x1 + x2) / 2 - uy * _BOW * 2, (y1 + y2) / 2 + ux * _BOW * 2
        start_x, start_y = _towards(x1, y1, middle_x, middle_y)
        end_x, end_y = _towards(x2, y2, middle_x, middle_y)
        colour, dash = style[currency]
        parts.append(
            f'<path d="M{start_x:.1f} {start_y:.1f}Q{middle_x:.1f} {middle_y:.1f} {end_x:.1f} {end_y:.1f}" '
            f'fill="none" stroke="{colour}" stroke-width="2.2" stroke-dasharray="{dash}" '
            f'marker-end="url(#arrow-{currency})"/>'
        )
        # A label a third of the way along: diagonals cross in the middle.
        at = 0.36
        label_x = (1 - at) ** 2 * start_x + 2 * at * (1 - at) * middle_x + at**2 * end_x
        label_y = (1 - at) ** 2 * start_y + 2 * at * (1 - at) * middle_y + at**2 * end_y
        labels.append(_text(label_x, label_y + 4, f"{currency} {millions(currency, amount_minor)}", size=12))
    return parts + labels


def _towards(x: float, y: float, to_x: float, to_y: float) -> tuple[float, float]:
    """The point on a node's rim in the direction of another point."""
    length = math.hypot(to_x - x, to_y - y) or 1.0
    return x + (to_x - x) / length * _NODE, y + (to_y - y) / length * _NODE


def _nodes(names: Mapping[str, str]) -> list[str]:
    parts = []
    for bank, (x, y) in _places(names).items():
        parts.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{_NODE}" fill="#f3f4f6" stroke="#111827"/>')
        words = names[bank].rsplit(" ", 2)
        for line, word in enumerate(words):
            parts.append(_text(x, y + 4 + 15 * (line - (len(words) - 1) / 2), word, size=12))
    return parts


def _bars(
    names: Mapping[str, str],
    net: Mapping[tuple[str, str], int],
    currencies: Sequence[str],
    style: Mapping[str, tuple[str, str]],
) -> list[str]:
    """Net positions as bars from a zero line, each currency on its own scale, numbers beside them."""
    zero_x, reach, top = 860, 100, 120
    row = (HEIGHT - top - 70) / max(1, len(names))
    largest = {code: max(1, *(abs(net[bank, code]) for bank in names)) for code in currencies}
    parts = [
        f'<line x1="{zero_x}" y1="{top - 14}" x2="{zero_x}" y2="{top + row * len(names):.0f}" stroke="#111827"/>',
        _text(zero_x - 70, top - 20, "pays", size=12),
        _text(zero_x + 70, top - 20, "receives", size=12),
    ]
    for index, (bank, name) in enumerate(names.items()):
        base = top + row * index
        parts.append(_text(560, base + row / 2, name, size=13, anchor="start"))
        for place, code in enumerate(currencies):
            amount = net[bank, code]
            height = min(22.0, row / (len(currencies) + 1))
            y = base + row / 2 + (place - len(currencies) / 2) * (height + 4)
            width = abs(amount) / largest[code] * reach
            x = zero_x if amount >= 0 else zero_x - width
            colour, dash = style[code]
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1.0):.1f}" height="{height:.0f}" fill="{colour}" '
                f'fill-opacity="{0.25 if dash else 0.75}" stroke="{colour}" stroke-dasharray="{dash}"/>'
            )
            sign = "+" if amount > 0 else "-" if amount < 0 else ""
            label = f"{code} {sign}{millions(code, abs(amount))}"
            side = zero_x + width + 8 if amount >= 0 else zero_x - width - 8
            parts.append(_text(side, y + height / 2 + 4, label, anchor="start" if amount >= 0 else "end"))
    return parts


def _legend(currencies: Sequence[str], style: Mapping[str, tuple[str, str]]) -> list[str]:
    parts = []
    for index, code in enumerate(currencies):
        x, (colour, dash) = 60 + 130 * index, style[code]
        parts.append(
            f'<line x1="{x}" y1="{HEIGHT - 22}" x2="{x + 44}" y2="{HEIGHT - 22}" stroke="{colour}" '
            f'stroke-width="2.2" stroke-dasharray="{dash}"/>'
        )
        parts.append(_text(x + 52, HEIGHT - 18, code, anchor="start"))
    return parts
