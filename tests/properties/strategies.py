"""What Hypothesis draws: values that a configuration can hold, and configurations."""

from hypothesis import strategies as st

from gemexp import ExperimentConfig
from gemexp.canonical import FLOAT_KEY, MAX_INT, MIN_INT

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
keys = st.one_of(st.sampled_from(["a", "b", "lr", "k.d", "é", "e\u0301", "\U0001f680", "\uffff", "$"]), texts)
numbers = st.one_of(
    st.integers(MIN_INT, MAX_INT),
    st.sampled_from([0, 1, 127, 128, 255, 256, -32, -33, 2**63, MAX_INT, MIN_INT]),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0, 5e-324]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)


def is_storable_map(mapping):
    return list(mapping) != [FLOAT_KEY]


def maps(items, **sizes):
    return st.dictionaries(keys, items, **sizes).filter(is_storable_map)


values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=5), maps(inner, max_size=5)), max_leaves=20
)
names = st.lists(keys, unique=True, max_size=5)
_TAGS = st.one_of(st.sampled_from(["best", "Best", "con", "k=5", "../up", "2024", "é"]), texts.filter(bool))
tags = st.lists(_TAGS, max_size=3)


def configs(**fields):
    defaults = {
        "feature_names": names,
        "feature_weights": st.dictionaries(keys, st.floats(), max_size=4).filter(is_storable_map),
        "hyperparameters": maps(values, max_size=4),
        "feature_transformations": maps(st.sampled_from(["log", "rank", "zscore"]), max_size=3),
        "description": texts,
        "tags": tags,
    }
    return st.builds(ExperimentConfig, **(defaults | fields))
