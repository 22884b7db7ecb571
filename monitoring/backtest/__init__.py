"""What a monitor would have done over stored history: when it would have alerted, how often, how long."""

from monitoring.backtest.replay import Episode, Outcome, Variant, backtest, variant_of

__all__ = ["Episode", "Outcome", "Variant", "backtest", "variant_of"]
