"""Variants: copies with some values set anew."""

import pytest

from gemexp import ExperimentConfig, InvalidPath, InvalidValue
from gemexp.variants import vary

BASE = ExperimentConfig(
    ["a", "b"], {"a": 0.5}, {"lr": 0.1, "layers": [64, 32]}, {}, "base", ["t"], created_at="2024-01-31T00:00:00Z"
)


def test_the_base_stays_as_it_was():
    before = BASE.to_dict()
    changed = vary(BASE, [(("hyperparameters", "lr"), 0.2), (("hyperparameters", "layers", 0), 128)])
    assert BASE.to_dict() == before
    assert changed.hyperparameters == {"lr": 0.2, "layers": [128, 32]}
    assert changed.config_hash != BASE.config_hash
    assert (changed.description, changed.tags, changed.created_at) == ("base", ["t"], BASE.created_at)


def test_every_section_can_be_set_into():
    changed = vary(
        BASE,
        [
            (("feature_names", 2), "c"),
            (("feature_weights", "c"), 1),
            (("feature_transformations", "c"), "log"),
            (("hyperparameters", "new", "deep"), [1]),
        ],
    )
    assert changed.feature_names == ["a", "b", "c"]
    assert changed.feature_weights == {"a": 0.5, "c": 1.0}
    assert changed.feature_transformations == {"c": "log"}
    assert changed.hyperparameters["new"] == {"deep": [1]}


def test_setting_what_is_there_already_changes_no_hash():
    assert vary(BASE, [(("hyperparameters", "lr"), 0.1)]).config_hash == BASE.config_hash
    assert vary(BASE, []).config_hash == BASE.config_hash


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        (("lr",), "hyperparameters.lr"),
        (("feature_weight", "a"), "feature_weights.a"),
        (("description",), "hyperparameters.description"),
        ((0,), "hyperparameters"),
    ],
)
def test_a_path_into_no_section_is_refused_with_a_guess(path, meant):
    with pytest.raises(InvalidPath, match="is in no section") as caught:
        vary(BASE, [(path, 1)])
    assert meant in caught.value.hint


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("feature_weights", "a"), "x"),
        (("feature_weights",), 5),
        (("feature_names", 2), "a"),
        (("feature_names", 0), 1),
        (("hyperparameters",), [1]),
        (("hyperparameters", "x"), {1}),
    ],
)
def test_a_result_that_cannot_be_stored_is_refused(path, value):
    with pytest.raises(InvalidValue, match=str(path[0])):
        vary(BASE, [(path, value)])
