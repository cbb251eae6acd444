"""Calibrated traffic: about the size of Hong Kong's RTGS system, and of a corridor between Hong Kong and Thailand.

Every number names its source or says that it is assumed. The sources:

* *CPMI*: Bank for International Settlements, Committee on Payments and Market Infrastructures, Red Book statistics,
  table CTA2, Hong Kong SAR, HKD CHATS, year 2021 (stats.bis.org): 161 direct participants, USD 31,607 billion, USD
  4,112 thousand on average per transaction (so 7.7 million transactions), 55 % of the volume and 50 % of the value
  with the five largest.
* *McAndrews and Rajan 2000* (FRBNY Economic Policy Review 6(2)) and *Armantier, Arnold and McAndrews 2008* (same,
  14(2)): in Fedwire payment activity peaks in the late afternoon, more and more sharply.
* *Goh, Kahng and Kim 2001* (Physical Review Letters 87, 278701) for the static fitness model; *Soramäki et al. 2007*
  (Physica A 379, 317–333) for scale-free interbank payment networks.

Change one number with :func:`dataclasses.replace`:

>>> from dataclasses import replace
>>> replace(HONG_KONG, obligations=1000).obligations
1000
"""

from __future__ import annotations

from fractions import Fraction

from liquidity.day import Hours
from liquidity.generating import Slot, Traffic, bank_names

HOUR_S = 3600

BUSINESS_DAYS = 248
"""Assumed for a year in Hong Kong: 261 weekdays less 13 general holidays on weekdays."""

CHATS_HOURS = Hours(8 * HOUR_S + HOUR_S // 2, 18 * HOUR_S + HOUR_S // 2)
"""8:30 to 18:30, Monday to Friday (as published for CHATS by its operator's and encyclopaedic descriptions)."""

BAHTNET_HOURS = Hours(9 * HOUR_S + HOUR_S // 2, 18 * HOUR_S + HOUR_S // 2)
"""Assumed: 8:30 to 17:30 in Bangkok, which is one hour behind Hong Kong, on Hong Kong's clock."""

AFTERNOON_PEAK: tuple[Slot, ...] = (
    (8 * HOUR_S + HOUR_S // 2, 9 * HOUR_S + HOUR_S // 2, 6.0),
    (9 * HOUR_S + HOUR_S // 2, 12 * HOUR_S, 30.0),
    (12 * HOUR_S, 14 * HOUR_S, 16.0),
    (14 * HOUR_S, 16 * HOUR_S, 24.0),
    (16 * HOUR_S, 17 * HOUR_S + HOUR_S // 2, 20.0),
    (17 * HOUR_S + HOUR_S // 2, 18 * HOUR_S + HOUR_S // 2, 4.0),
)
"""Percent of the day's payments by slot. The late-afternoon peak after McAndrews and Rajan 2000, its shape assumed:
a morning plateau, a dip at noon, the densest hour and a half from 16:00, little in the last hour."""

HONG_KONG = Traffic(
    communities=(bank_names("HK", 161),),  # CPMI
    obligations=31_000,  # CPMI: 7.7 million a year / BUSINESS_DAYS
    currencies={"HKD": 1.0},
    pvp_share=0.0,
    fitness_exponent=1.2,  # fitted: the five largest send 54 % of the payments (CPMI: 55 % of the volume)
    mean_amount=3_195_000_000,  # CPMI: USD 4.112 million at 7.77 HKD; cents
    sigma=2.5,  # assumed: half of the payments below HKD 1.4 million, where the mean is 32 million
    profile=AFTERNOON_PEAK,
    hours={"HKD": CHATS_HOURS},
)
"""A day of about Hong Kong's size: 161 banks, 31,000 payments, HKD 990 billion on average, HKD only."""

CORRIDOR = Traffic(
    communities=(bank_names("HK", 160), bank_names("TH", 40)),  # assumed: as many banks as in either centre
    obligations=40_000,  # assumed: what a corridor at full size is to carry in a day
    currencies={"HKD": 1.0, "THB": 1.0},  # assumed: even
    pvp_share=0.3,  # assumed: three in ten payments are FX trades or need one
    fitness_exponent=1.2,  # as in Hong Kong
    mean_amount=78_000_000,  # assumed: HKD 780,000 (USD 100,000), trade payments rather than money market
    sigma=2.0,  # assumed
    rates={"HKD": Fraction(1), "THB": Fraction(10, 46)},  # assumed: 4.60 THB for 1 HKD
    profile=tuple(slot for slot in AFTERNOON_PEAK if slot[0] >= BAHTNET_HOURS.open_s),
    hours={"HKD": CHATS_HOURS, "THB": BAHTNET_HOURS},
)
"""A corridor's day at full size: 200 banks, 40,000 obligations in HKD and THB, 30 % of them PvP."""
