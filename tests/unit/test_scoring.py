"""GemScore."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemexp.scoring import WEIGHTS, score


def test_the_weights_are_those_of_the_eight_features_and_sum_to_one():
    assert len(WEIGHTS) == 8
    assert math.isclose(sum(WEIGHTS.values()), 1.0, rel_tol=1e-12)
    assert all(type(weight) is float and weight > 0 for weight in WEIGHTS.values())


def test_all_features_at_their_best_score_one_hundred_and_none_scores_nought():
    assert score(dict.fromkeys(WEIGHTS, 1.0)) == pytest.approx(100.0)
    assert score({}) == 0.0
    assert score(dict.fromkeys(WEIGHTS, 0.5)) == pytest.approx(50.0)


def test_features_and_sum_are_clipped():
    assert score({"a": 5.0}, {"a": 0.5}) == 50.0
    assert score({"a": -5.0}, {"a": 0.5}) == 0.0
    assert score({"a": 1.0}, {"a": 3.0}) == 100.0
    assert score({"a": 1.0}, {"a": -3.0}) == 0.0
    assert score({"a": math.inf}, {"a": 0.5}) == 50.0


def test_nan_is_not_hidden():
    assert math.isnan(score({"SentimentScore": math.nan}))


@given(st.dictionaries(st.sampled_from(sorted(WEIGHTS)), st.floats(0, 1)))
def test_the_score_is_bounded_and_does_not_depend_on_order(features):
    shuffled = list(features.items())
    random.Random(1).shuffle(shuffled)  # noqa: S311 - an order, not a secret
    assert 0.0 <= score(features) <= 100.0
    assert score(dict(shuffled)) == score(features)
