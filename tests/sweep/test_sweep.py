"""Sweeps from Python: what is recorded, what is skipped, and what a failure or an interruption leaves."""

import os
import signal
import threading
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor

import pytest
from small import BASE, PARAMETERS, random_panel

from gemexp import ExperimentConfig, ExperimentRegistry, InvalidInput, NotFound
from gemexp.backtest import Parameters, run_backtest, tracking
from gemexp.backtest.grid import grid_from_value
from gemexp.backtest.sweep import SweepInterrupted, run_sweep
from gemexp.backtest.sweep_plan import plan_sweep

AXES = {"k": [2, 3, 4], "walk": ["14d", "21d"], "feature_weights.mom_63": [0.0, 1.0]}


def grid(axes=None, base=BASE, **parameters):
    axes = AXES if axes is None else axes
    fixed = {name: value for name, value in (PARAMETERS | parameters).items() if name not in axes}
    return grid_from_value({"base": base, "parameters": fixed, "grid": axes}, source="grid.yaml")


def sweep(panel, registry, axes=None, *, base=BASE, jobs=1, **options):
    return run_sweep(plan_sweep(grid(axes, base), panel, registry), registry, jobs=jobs, **options)


def outcomes(found):
    return {number: (result.config_hash, result.outcome_hash) for number, result in found.results.items()}


def whole(registry):
    report = registry.check()
    return not report.problems and not report.notes


class TestOutcomes:
    def test_each_is_the_one_that_a_backtest_alone_records(self, panel, registry):
        found = sweep(panel, registry)
        assert (found.run, found.skipped, found.failures) == (12, 0, [])
        for number, (config_hash, outcome_hash) in outcomes(found).items():
            config = registry.load(config_hash)
            parameters = Parameters.from_dict(config.hyperparameters)
            alone = run_backtest(config, panel, parameters=parameters)
            assert tracking.stored(alone).outcome_hash == outcome_hash
            (run,) = registry.runs(config_hash)
            assert (run.outcome, run.config) == (outcome_hash, config_hash)
            assert run.duration > 0
            assert grid().settings(number)["k"] == parameters.k
        assert whole(registry)

    def test_they_are_the_same_whoever_runs_them(self, panel, tmp_path):
        registries = [ExperimentRegistry(tmp_path / name) for name in "abcd"]
        found = [sweep(panel, registries[0], jobs=1), sweep(panel, registries[1], jobs=2)]
        with ThreadPoolExecutor(2) as executor:
            found.append(sweep(panel, registries[2], executor=executor, jobs=2))
            assert executor.submit(int).result() == 0, "an executor that is handed in is not shut down"
        axes = {name: values[::-1] for name, values in reversed(AXES.items())}
        found.append(sweep(panel, registries[3], axes))
        assert outcomes(found[0]) == outcomes(found[1]) == outcomes(found[2])
        assert set(outcomes(found[0]).values()) == set(outcomes(found[3]).values())
        assert all(map(whole, registries))

    def test_descriptions_are_the_settings_and_never_replace_what_someone_wrote(self, panel, registry):
        mine = grid().combination(0, ExperimentConfig.from_dict(BASE)).experiment
        mine.description = "mine"
        registry.register(mine)
        found = sweep(panel, registry, tags=["s"])
        described = {number: registry.load(result.config_hash).description for number, result in found.results.items()}
        assert described[0] == "mine"
        assert described[11] == "k=4, walk=21d, feature_weights.mom_63=1.0"
        assert registry.tags() == {"s": 12}
        again = sweep(panel, registry, {**AXES, "k": [2, 5]}, description="larger", tags=["t"])
        assert (again.run, again.skipped) == (4, 4)
        assert registry.tags() == {"s": 12, "t": 8}
        text = registry.load(again.results[7].config_hash).description
        assert text == "larger: k=5, walk=21d, feature_weights.mom_63=1.0"

    def test_a_base_in_the_store_is_the_parent(self, panel, registry):
        base = registry.register(ExperimentConfig(**BASE, hyperparameters=PARAMETERS | {"bps": 3.0}, tags=["base"]))
        found = run_sweep(
            plan_sweep(grid_from_value({"base": "base", "grid": {"k": [2, 4]}}), panel, registry), registry, jobs=1
        )
        for result in found.results.values():
            assert registry.metadata(result.config_hash).parents == (base,)
            config = registry.load(result.config_hash)
            assert (config.tags, config.hyperparameters["bps"]) == ([], 3.0)

    def test_a_base_in_a_file_is_looked_for_beside_the_grid(self, panel, registry, tmp_path):
        (tmp_path / "base.json").write_text(ExperimentConfig.from_dict(BASE).to_json(), "utf-8")
        value = {"base": "base.json", "parameters": PARAMETERS, "grid": {"lag": [1, 2]}}
        plan = plan_sweep(grid_from_value(value, source=str(tmp_path / "grid.yaml")), panel, registry)
        assert len(plan.new) == 2
        with pytest.raises(NotFound):
            plan_sweep(grid_from_value(value, source="elsewhere/grid.yaml"), panel, registry)
        with pytest.raises(InvalidInput, match="no such file"):
            plan_sweep(grid_from_value(value, source="elsewhere/grid.yaml"), panel, None)

    def test_the_best_are_ranked_and_deflated_by_everything_tried_on_the_panel(self, panel, registry):
        first = sweep(panel, registry, {"k": [2, 3]})
        second = sweep(panel, registry, {"k": [3, 4, 5]})
        best, trials = second.best(registry)
        assert trials == 4
        assert [one.sharpe for one in best] == sorted((one.sharpe for one in best), reverse=True)
        assert {one.result.number for one in best} == {0, 1, 2}
        ranked = {one.config_hash: one.value for one in registry.rank("sharpe")}
        assert {one.result.config_hash: one.sharpe for one in best}.items() <= ranked.items()
        assert first.best(registry)[1] == 4
        assert all(0.0 <= one.deflated <= 1.0 for one in best)


class TestSkipping:
    def test_the_same_sweep_again_runs_nothing_and_writes_nothing(self, panel, registry):
        first = sweep(panel, registry)
        before = {path: os.stat(path).st_mtime_ns for path in files(registry.root)}
        again = sweep(panel, registry)
        assert (again.run, again.skipped) == (0, 12)
        assert outcomes(again) == outcomes(first)
        assert {path: os.stat(path).st_mtime_ns for path in files(registry.root)} == before

    def test_only_what_is_missing_is_run(self, panel, registry):
        sweep(panel, registry, {"k": [2, 3]})
        plan = plan_sweep(grid({"k": [1, 2, 3, 4]}), panel, registry)
        assert ([planned.number for planned in plan.new], sorted(plan.known)) == ([0, 3], [1, 2])

    def test_an_outcome_on_another_panel_or_of_a_deleted_experiment_does_not_count(self, panel, registry):
        found = sweep(panel, registry, {"k": [2, 3]})
        assert len(plan_sweep(grid({"k": [2, 3]}), random_panel(8), registry).new) == 2
        registry.delete(found.results[0].config_hash)
        assert [planned.number for planned in plan_sweep(grid({"k": [2, 3]}), panel, registry).new] == [0]

    def test_a_backtest_that_was_recorded_alone_counts(self, panel, registry):
        outcome = run_backtest(ExperimentConfig(**BASE), panel, parameters=Parameters.from_dict(PARAMETERS))
        tracking.record(registry, outcome)
        plan = plan_sweep(grid({"k": [2, PARAMETERS["k"]]}), panel, registry)
        assert [planned.number for planned in plan.new] == [0]


class TestFailures:
    def test_they_are_told_and_do_not_stop_the_others(self, panel, registry):
        for jobs in (1, 2):
            found = sweep(panel, registry, {"k": [2, 9], "end": ["2021-01-15", "2021-07-01"]}, jobs=jobs)
            assert (len(found.results), [one.number for one in found.failures]) == (1, [0, 2, 3])
            assert "not after 'start'" in found.failures[0].message
            assert "only 8 assets are eligible" in found.failures[2].message
        assert len(registry) == 1
        assert whole(registry)

    @pytest.mark.parametrize(
        ("axes", "message"),
        [
            ({"feature_transformations.mom_63": ["rank", "zscroe"]}, "did you mean 'zscore'"),
            ({"feature_weights.mom_64": [1]}, "did you mean 'mom_63'"),
            ({"feature_weights": [{"mom_63": 1}, {"mom_65": 1}]}, "did you mean 'mom_63'"),
        ],
    )
    def test_what_is_wrong_with_one_value_is_told_before_anything_runs(self, panel, registry, axes, message):
        with pytest.raises(InvalidInput, match=r"^'grid\.yaml': ") as caught:
            plan_sweep(grid(axes), panel, registry)
        assert message in caught.value.hint

    def test_weights_that_are_all_zero_fail_alone(self, panel, registry):
        found = sweep(panel, registry, {"feature_weights.mom_63": [0, 1], "feature_weights.low_vol_63": [0, 1]})
        assert (len(found.results), [one.message for one in found.failures]) == (3, ["all feature weights are zero"])

    def test_a_tag_that_cannot_be_stored_is_told_before_anything_runs(self, panel, registry):
        with pytest.raises(InvalidInput, match="tag"):
            sweep(panel, registry, tags=[""])
        assert not registry.runs()

    def test_a_worker_that_ends_leaves_what_was_finished(self, panel, registry):
        with pytest.raises(InvalidInput, match="ended unexpectedly"):
            sweep(panel, registry, executor=Mortal(2), jobs=1)
        recorded = len(registry.runs())
        assert 0 < recorded < 12
        assert whole(registry)
        assert sweep(panel, registry).run == 12 - recorded


class TestInterruption:
    @pytest.fixture(autouse=True)
    def _heeded(self):
        """Have Ctrl-C interrupt, even if whoever started the tests in the background had it ignored."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
        signal.signal(signal.SIGINT, before)

    def test_ctrl_c_records_what_is_finished_and_the_next_sweep_the_rest(self, panel, registry):
        told = []
        # More chunks than are handed out before the first is taken back, so that it is never done before it is told.
        weights = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        many = {"k": [2, 3, 4, 5, 6, 7], "walk": ["7d", "14d", "21d", "28d"], "feature_weights.mom_63": weights}

        def interrupt(count):
            if not told:
                os.kill(os.getpid(), signal.SIGINT)
            told.append(count)

        with pytest.raises(SweepInterrupted) as caught:
            sweep(panel, registry, {**many, "k": [9, *many["k"]]}, progress=interrupt)
        assert len(told) >= 1, "the failures of k = 9 are told first, and interrupt it"
        done = caught.value.sweep
        assert done.run == len(registry.runs()) < 144
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        again = sweep(panel, registry, many)
        assert (again.run, again.skipped) == (144 - done.run, done.run)
        assert whole(registry)

    def test_another_thread_may_sweep(self, panel, registry):
        found = []
        thread = threading.Thread(target=lambda: found.append(sweep(panel, registry, {"k": [2, 3]})))
        thread.start()
        thread.join()
        assert found[0].run == 2


class Mortal(Executor):
    """Runs what is submitted so many times, and then is broken."""

    def __init__(self, lives):
        self._lives = lives

    def submit(self, call, /, *args, **kwargs):
        future = Future()
        if self._lives:
            self._lives -= 1
            future.set_result(call(*args, **kwargs))
        else:
            future.set_exception(BrokenExecutor("gone"))
        return future


def files(root):
    return [
        os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names if "/local" not in folder
    ]
