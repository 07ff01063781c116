"""What Hypothesis draws to look for: queries of the kinds that `gemexp.query.where.parse` makes, and what may match."""

from hypothesis import strategies as st
from strategies import keys, maps, numbers, scalars, texts

from gemexp.query.fields import is_ordered, is_textual
from gemexp.query.syntax import Compare, Exists, Field, In, Like, Not, conjunction, disjunction
from gemexp.query.where import parse

TAGS = st.sampled_from(["best", "Best", "k=5", "é", "2024"])
NAMES = st.sampled_from(["production", "staging"])
METRICS = st.sampled_from(["loss", "auc", "é"])
KEYS = st.one_of(st.sampled_from(["a", "b", "lr", "k.d", "é"]), keys)
ODD = st.sampled_from(
    ["x" * 300, "é" * 150, "10", 10, 10.0, True, 2**63 - 1, 2**63, 2.0**63, 2**64 - 1, -(2**63), 1e308, "%", "_"]
)
values = st.recursive(
    st.one_of(scalars, ODD, st.integers(-3, 3)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), maps(inner, max_size=3)),
    max_leaves=5,
)
_SCALARS = st.one_of(scalars, ODD, st.integers(-3, 3), st.integers(-(10**30), 10**30), st.sampled_from([10**400]))
_PERIODS = st.sampled_from(
    [parse(f"created_at = {when}").value for when in ("2026", "2026-01-02", "'2026-01-02T12:00'", "now")]
)
_PATHS = {
    "hyperparameters": st.lists(st.one_of(KEYS, st.sampled_from([0, 1])), max_size=3).map(tuple),
    "metric": METRICS.map(lambda name: (name,)),
    "data": st.sampled_from([(), ("panel",), ("panel", "x"), ("n", 0)]),
}
_VALUES = {
    **dict.fromkeys(("tag", "name", "feature_names", "description"), st.one_of(TAGS, NAMES, texts, st.just("x" * 300))),
    "runs": st.one_of(st.integers(-1, 3), numbers),
    "metric": st.one_of(st.none(), numbers, st.integers(-3, 3)),
}
_ROOTS = (
    *("hyperparameters",) * 8,
    *("metric", "data", "tag", "description", "runs") * 2,
    *("created_at", "parent", "hash", "name", "feature_names"),
)


@st.composite
def _atoms(draw, roots):
    root = draw(st.sampled_from(roots))
    field = Field(root, draw(_PATHS.get(root, st.just(()))))
    value = _VALUES.get(root, _SCALARS)
    kinds = ["exists", "=", "in"] + ["order"] * 2 * is_ordered(field) + ["like"] * is_textual(field)
    kind = draw(st.sampled_from(kinds))
    operator = draw(st.sampled_from(["<", "<=", ">", ">="])) if kind == "order" else "="
    if kind == "exists":
        return Exists(field)
    if root == "created_at":
        return Compare(field, operator, draw(_PERIODS))
    if root in ("parent", "hash"):
        return Compare(field, "=", draw(st.text("0123456789abcdef", min_size=2, max_size=2)))
    if kind == "like":
        return Like(field, draw(st.text(st.sampled_from("%_x\\éa1"), max_size=4)))
    if kind == "in":
        return In(field, tuple(draw(st.lists(value, max_size=3))))
    if kind == "order":
        value = value.filter(
            lambda one: isinstance(one, (int, float, str)) and not isinstance(one, bool) and one == one
        )
    return Compare(field, operator, draw(value))


def queries(roots=_ROOTS):
    """Return a strategy for queries on these fields."""
    return st.recursive(
        _atoms(roots),
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: conjunction(*parts)),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: disjunction(*parts)),
        ),
        max_leaves=4,
    )
