"""Print the hashes of some outcomes: equal lines mean equal outcomes, whatever numpy, Python or processor made them."""

from panels import DELISTED, SAMPLE, VOLUME

from gemexp.backtest import Parameters, read_panel, run_backtest
from gemexp.backtest.transforms import NAMES
from gemexp.config import ExperimentConfig

PRICES = ["low_vol_63", "mom_12_1", "mom_63", "near_high_252", "reversal_21", "trend_200"]
RUNS = [
    (SAMPLE, PRICES, "2012-01-01", "2022-12-31", 5),
    (SAMPLE, ["mom_12_1", "low_vol_63"], "2013-01-01", "2022-12-31", 10),
    (DELISTED, PRICES, "2018-07-01", "2020-12-31", 6),
    (VOLUME, [*PRICES, "liquidity_21", "volume_surge"], "2014-02-01", "2023-09-21", 2),
]


def main():
    for path, names, start, end, k in RUNS:
        weights = {name: 0.1 + 0.3 * n / 7 for n, name in enumerate(names)}
        transforms = {name: NAMES[n % 4] for n, name in enumerate(names)}
        config = ExperimentConfig(names, weights, feature_transformations=transforms)
        parameters = Parameters(start=start, end=end, k=k, risk_free_rate=0.01, n_bootstrap=300)
        print(run_backtest(config, read_panel(path), parameters=parameters).digest)  # noqa: T201 - its purpose


if __name__ == "__main__":
    main()
