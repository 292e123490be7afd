"""Who gets how much: the shares that the weights promise, within bounds a right server misses once in a million."""

import itertools
import math

from load import Traffic, in_parallel

SIGMAS = 4.9


def test_weights_of_10_and_30_share_5000_contacts_as_one_to_three(servers, empty_database):
    [server] = servers(1)
    api = server.client()
    light, heavy = api.operator(max_load=1_000_000)["id"], api.operator(max_load=1_000_000)["id"]
    source = api.source({light: 10, heavy: 30})["id"]
    traffic = Traffic([server])
    in_parallel(16, lambda thread, n: traffic.register(thread, source, f"contact {n}"), range(5000), seconds=60)
    traffic.must_have_ended_only_with(201)
    assert api.load(light) + api.load(heavy) == 5000
    share, tolerance = api.load(heavy) / 5000, SIGMAS * math.sqrt(0.25 * 0.75 / 5000)
    assert abs(share - 0.75) <= tolerance, f"{share:.4f} is not 0.75 ± {tolerance:.4f}"
    print(f"\n5000 contacts at weights 10 and 30: {share:.4f} of them where 0.75 ± {tolerance:.4f} is due")
    assert empty_database.broken_loads() == []


def test_an_operator_at_its_limit_leaves_its_share_to_the_others(empty_api):
    small, large = empty_api.operator(max_load=5)["id"], empty_api.operator(max_load=100)["id"]
    source = empty_api.source({small: 1_000_000, large: 1})["id"]
    for _ in range(60):
        assert empty_api.contact(source)["status"] == "active"
    assert (empty_api.load(small), empty_api.load(large)) == (5, 55)


def statistic(choices: list[tuple[dict, int]], first: int, second: int) -> float:
    """χ² with two degrees of freedom over choices among three, each with probabilities of its own:
    the squared distance of two of the counts from their expectation, in their covariance."""
    a = sum((chosen == first) - p[first] for p, chosen in choices)
    b = sum((chosen == second) - p[second] for p, chosen in choices)
    aa = sum(p[first] * (1 - p[first]) for p, _ in choices)
    bb = sum(p[second] * (1 - p[second]) for p, _ in choices)
    ab = -sum(p[first] * p[second] for p, _ in choices)
    return (a * a * bb - 2 * a * b * ab + b * b * aa) / (aa * bb - ab * ab)


def test_weighted_capacity_follows_weight_times_free_capacity(empty_api):
    """One after another, so that the probabilities of each choice are known: p = w·capacity / Σ w·capacity."""
    weights, limits = (3, 1, 2), (200, 600, 100)
    operators = [empty_api.operator(max_load=limit)["id"] for limit in limits]
    weight, capacity = dict(zip(operators, weights)), dict(zip(operators, limits))
    source = empty_api.source(weight, strategy="weighted_capacity")["id"]
    choices = []
    for _ in range(600):
        pull = {id: weight[id] * capacity[id] for id in operators}
        chosen = empty_api.contact(source)["operator_id"]
        choices.append(({id: pull[id] / sum(pull.values()) for id in operators}, chosen))
        capacity[chosen] -= 1
    found = max(statistic(choices, *pair) for pair in itertools.combinations(operators, 2))
    assert found <= 27.7, f"χ² {found:.1f}, two degrees of freedom"  # exceeded once in 1 000 000


def test_weighted_capacity_fills_everybody_exactly(empty_api, empty_database):
    limits = {empty_api.operator(max_load=limit)["id"]: limit for limit in (1, 2, 7)}
    source = empty_api.source(dict.fromkeys(limits, 1_000_000), strategy="weighted_capacity")["id"]
    contacts = [empty_api.contact(source) for _ in range(12)]
    assert [contact["status"] for contact in contacts] == ["active"] * 10 + ["new"] * 2
    assert {id: empty_api.load(id) for id in limits} == limits
    assert empty_database.broken_loads() == []


def test_the_largest_weights_and_limits_do_not_overflow(empty_api):
    operators = [empty_api.operator(max_load=1_000_000)["id"] for _ in range(30)]
    for strategy in ("weighted_random", "weighted_capacity"):
        source = empty_api.source(dict.fromkeys(operators, 1_000_000), strategy=strategy)["id"]
        assert {empty_api.contact(source)["status"] for _ in range(20)} == {"active"}


def test_the_worked_example_of_the_readme_is_true(empty_api):
    anna, boris = (empty_api.operator(name=name, max_load=limit)["id"] for name, limit in (("Anna", 3), ("Boris", 2)))
    source = empty_api.source({anna: 10, boris: 30}, strategy="smooth_weighted")["id"]

    def loads():
        return empty_api.load(anna), empty_api.load(boris)

    def show(contact):
        return empty_api.read("contacts", contact["id"])

    contacts, seen = [], []
    for _ in range(6):
        contacts.append(empty_api.contact(source))
        seen.append(loads())
    assert seen == [(0, 1), (1, 1), (1, 2), (2, 2), (3, 2), (3, 2)]
    assert contacts[5]["waiting_reason"] == "all_at_limit"
    empty_api.close_contact(contacts[0]["id"])
    assert show(contacts[5])["operator_id"] == boris and loads() == (3, 2)
    empty_api.post(f"/api/v1/contacts/{contacts[1]['id']}/release").must_be(200)
    assert show(contacts[1])["waiting_reason"] == "excluded" and loads() == (2, 2)
    assert empty_api.contact(source)["operator_id"] == anna and loads() == (3, 2)
    empty_api.close_contact(contacts[2]["id"])
    assert show(contacts[1])["operator_id"] == boris and loads() == (3, 2)
