"""The project's own computations hold what `gemexp.testing` asks of those of its users."""

import our_pipelines
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from our_pipelines import config

from gemexp import ExperimentConfig
from gemexp.testing import (
    hash_stability,
    metamorphic,
    no_hidden_state,
    no_look_ahead,
    order_does_not_matter,
    same_outcome,
    scale_weights,
    seed_is_the_only_randomness,
)
from gemexp.testing.strategies import configs

SMALL = {"deadline": None, "max_examples": 5}


@pytest.mark.parametrize(
    "pipeline", [our_pipelines.figures, our_pipelines.sweep, our_pipelines.store], ids=lambda f: f.__name__
)
def test_nothing_around_a_process_changes_what_comes_out(pipeline):
    same_outcome(pipeline, config(), runs=2).require()


@pytest.mark.parametrize("pipeline", [our_pipelines.figures, our_pipelines.store], ids=lambda f: f.__name__)
def test_neither_order_nor_what_ran_before_matters(pipeline):
    order_does_not_matter(pipeline, config(), runs=3).require()
    others = [config(k=2, lag=3), ExperimentConfig(["Mood"], {"Mood": 1.0}, {"k": 4})]
    no_hidden_state(pipeline, config(), others=others).require()


def test_the_seed_is_the_only_randomness_of_a_backtest_and_moves_its_intervals():
    seed_is_the_only_randomness(our_pipelines.figures, config(), matters=True).require()
    assert not seed_is_the_only_randomness(our_pipelines.picks, config(), matters=True)


# That an asset never comes back counts as a delisting, known only afterwards: it enters what was earned, and no
# decision. Where all assets stay, what was earned is known as well.
@pytest.mark.parametrize(
    ("panel", "upto"),
    [
        (our_pipelines.panel, our_pipelines.decided_by),
        (our_pipelines.whole_panel, our_pipelines.earned_by),
    ],
)
def test_a_backtest_does_not_look_ahead(panel, upto):
    one = config(lag=2, n_bootstrap=0)
    no_look_ahead(our_pipelines.backtest, one, panel, cuts=[400, 455, 500, 540], runs=3, upto=upto).require()


@pytest.mark.parametrize("upto", [our_pipelines.decided_by, our_pipelines.earned_by])
def test_a_backtest_that_says_more_than_it_can_know_is_found_out(upto):
    def too_early(outcome, row):
        return upto(outcome, row + 40)

    assert not no_look_ahead(our_pipelines.backtest, config(), our_pipelines.whole_panel, cuts=[455], upto=too_early)


@settings(**SMALL)
@given(st.sampled_from([2.0, 0.5, 4.0]), st.integers(1, 5))
def test_the_scale_of_the_weights_changes_no_pick(factor, k):
    metamorphic(our_pipelines.picks, config(k=k), lambda one: scale_weights(one, factor)).require()


@settings(**SMALL)
@given(configs(["mom_63", "low_vol_63", "Mood"], {"k": st.integers(1, 5)}, weights=st.floats(0.1, 2)))
def test_backtests_of_drawn_configs_come_out_the_same_again(drawn):
    if drawn.feature_names:
        same_outcome(our_pipelines.figures, drawn, runs=1, isolate=False).require()


@settings(max_examples=15)
@given(config=...)
def test_every_config_keeps_its_hash(config: ExperimentConfig):
    def through_lines(one):
        return ExperimentConfig.from_dict(one.to_dict())

    hash_stability(config, through={"a dict": through_lines}).require()
