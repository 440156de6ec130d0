"""Money as Engagement gets it: numbers in major units, rounded half up to the currency's minor unit."""

from decimal import ROUND_HALF_UP, Decimal

# ISO 4217: all others have two digits.
DIGITS = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0
)
DIGITS |= dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)


def price(amount: Decimal, currency: str) -> float:
    """`amount` in major units, rounded; always a float, for Engagement tells 10 from 10.0."""
    return float(amount.quantize(Decimal(1).scaleb(-DIGITS.get(currency, 2)), ROUND_HALF_UP))
