"""Looking into networks."""

from ._learning_rate import LearningRateRangeTest, learning_rate_range_test

__all__ = ["LearningRateRangeTest", "learning_rate_range_test"]
