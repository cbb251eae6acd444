"""Most value in free order: which set of obligations settles together when nobody's place in a queue counts.

The question is NP-hard and has no constant-factor approximation, so every answer here is a set that may settle
(checked in exact integers) with an upper bound on what any set can be worth. See ``docs/liquidity.md``.
"""
