"""``diff`` and ``compare`` show the metrics of both configurations beside what differs between them."""

from small_backtests import panel_text

from gemexp import ExperimentConfig


def test_metrics_of_both_stand_below_a_diff(gemexp, backtest):
    old, new = backtest("--k", "2", "--experiment-tags", "a"), backtest("--k", "3", "--experiment-tags", "b")
    figures = [one["metrics"]["precision_at_k"] for one in (old, new)]
    out = gemexp("diff", "a", "b").out
    config, _, metrics = out.partition("\n\nMetrics\n")
    assert config == "~ hyperparameters.k: 2 -> 3 (+1)"
    assert f"  precision_at_k: {figures[0]!r} -> {figures[1]!r} (" in metrics
    assert "base_rate" not in metrics
    found = gemexp("diff", "a", "b", "--json").json
    assert set(found) == {"config1_hash", "config2_hash", "differences", "metrics"}
    assert set(found["metrics"]) == {"config1", "config2", "outcome1_hash", "outcome2_hash", "same_data"}
    assert found["metrics"]["same_data"] is True
    assert found["metrics"]["outcome1_hash"] == old["outcome_hash"]
    assert found["metrics"]["config2"]["precision_at_k"] == figures[1]
    gemexp("diff", "a", "b", "--exit-code", code=1)
    gemexp("diff", "a", "a", "--exit-code", code=0)
    assert gemexp("diff", "a", "a").out == ""


def test_compare_shows_also_the_metrics_that_agree(gemexp, backtest):
    old, _ = backtest("--k", "2", "--experiment-tags", "a"), backtest("--k", "3", "--experiment-tags", "b")
    out = gemexp("compare", "a", "b").out
    assert "\nMetrics\n" in out
    assert f"\nMetrics: the same in both\n  base_rate: {old['metrics']['base_rate']!r}\n" in out
    assert gemexp("compare", "a", "b", "--json").json["metrics"] == gemexp("diff", "a", "b", "--json").json["metrics"]


def test_outcomes_on_the_same_data_go_before_later_ones(gemexp, backtest, project):
    (project / "other.csv").write_text(panel_text(days=74))
    old = backtest("--k", "2", "--experiment-tags", "a")
    new = backtest("--k", "3", "--experiment-tags", "b")
    backtest("--k", "3", data="other.csv")
    found = gemexp("diff", "a", "b", "--json").json["metrics"]
    assert (found["outcome1_hash"], found["outcome2_hash"]) == (old["outcome_hash"], new["outcome_hash"])
    assert found["same_data"] is True


def test_outcomes_on_different_data_are_said_to_be(gemexp, backtest, project):
    (project / "other.csv").write_text(panel_text(days=74))
    backtest("--k", "2", "--experiment-tags", "a")
    backtest("--k", "3", "--experiment-tags", "b", data="other.csv")
    assert "\nMetrics, on data that is not the same, or not known to be\n" in gemexp("diff", "a", "b").out
    assert gemexp("diff", "a", "b", "--json").json["metrics"]["same_data"] is False


def test_without_two_outcomes_there_are_no_metrics(gemexp, backtest, store):
    backtest("--experiment-tags", "a")
    store().register(ExperimentConfig([], {}, {"k": 1}, tags=["b"]))
    for command in ("diff", "compare"):
        assert "metrics" not in gemexp(command, "a", "b", "--json").json
        assert "Metrics" not in gemexp(command, "a", "b").out


def test_recorded_metrics_of_any_kind_are_compared(gemexp, store):
    gemexp("init")
    for tag, loss in (("a", 0.5), ("b", 0.25)):
        store().record(
            ExperimentConfig([], {}, {"lr": loss}, tags=[tag]), {"loss": loss, "only " + tag: None}, data="d"
        )
    assert gemexp("diff", "a", "b").out.endswith("\n\nMetrics\n  loss: 0.5 -> 0.25 (-0.25)\n")
