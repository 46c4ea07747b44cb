"""Workflows become trees: chains below each other, members one deeper, what never runs with its cause."""

from __future__ import annotations

from typing import Any

from celery_nexus.rows.workflows import Announced, BrokerView, ChordCount, Node, Plan, Step, Workflow
from celery_nexus.workflows.items import LOST, Facts, Item
from celery_nexus.workflows.tree import build_workflow

NOW = 1_000_000.0
BODY = Step("task", "body", "shop.total")


def item(id_: str, state: str = "SUCCESS", **more: Any) -> Item:
    more.setdefault("task", "shop.add")
    more.setdefault("at", NOW - 100)
    more.setdefault("finished_at", NOW - 50 if state in ("SUCCESS", "FAILURE") else None)
    return Item(id=id_, state=state, is_planned=more.pop("is_planned", "plan" in more), **more)


def grow(*items: Item, view: BrokerView | None = None) -> Workflow:
    return build_workflow(items[0].id, Facts({one.id: one for one in items}, view, NOW))


def drawn(workflow: Workflow) -> list[str]:
    return [f"{'  ' * depth}{line(node)}" for depth, node in workflow.walk()]


def line(node: Node) -> str:
    size = f" ×{node.total}" if node.kind == "fold" else f" of {node.total}" if node.kind in ("group", "chord") else ""
    name = node.task or node.kind
    return " ".join(word for word in (node.role, f"{name}{size}", node.state or "", node.id[:8]) if word)


def chain_of(*ids: str) -> Plan:
    return Plan(chain=tuple(Step("task", id_, "shop.add") for id_ in ids))


def test_links_of_a_chain_follow_each_other() -> None:
    workflow = grow(
        item("a", plan=chain_of("b", "c")),
        item("b", parent="a", plan=chain_of("c")),
        item("c", parent="b", plan=Plan()),
    )
    assert drawn(workflow) == ["shop.add SUCCESS a", "next shop.add SUCCESS b", "next shop.add SUCCESS c"]


def test_what_follows_a_failed_run_never_runs_and_says_why() -> None:
    workflow = grow(item("a", "FAILURE", plan=chain_of("b", "c")))
    assert drawn(workflow) == ["shop.add FAILURE a", "next shop.add never b", "next shop.add never c"]
    assert {node.why for _, node in workflow.walk() if node.kind == "step"} == {"add a failed"}


def test_what_follows_a_run_that_waits_is_still_to_run() -> None:
    workflow = grow(item("a", "PENDING", plan=chain_of("b"), place="waiting", queue="slow"))
    assert workflow.roots[1].state == "ahead"
    assert workflow.roots[1].why == "after add a, which waits in slow"


def test_what_followed_a_run_without_a_plan_is_known_from_its_time() -> None:
    workflow = grow(item("a"), item("b", parent="a", at=NOW - 50), item("x", parent="b", at=NOW - 90))
    assert drawn(workflow) == ["shop.add SUCCESS a", "next shop.add SUCCESS b", "  published shop.add SUCCESS x"]


def members(count: int, **states: str) -> list[Item]:
    return [item(f"m{n}", states.get(f"m{n}", "SUCCESS"), group="g", plan=Plan(body=BODY)) for n in range(count)]


def test_a_chord_has_its_members_below_and_its_body_behind() -> None:
    workflow = grow(*members(2), item("body", parent="m1", task="shop.total", plan=Plan()))
    assert drawn(workflow) == [
        "chord of 2 g",
        "  member shop.add SUCCESS m0",
        "  member shop.add SUCCESS m1",
        "body shop.total SUCCESS body",
    ]


def test_the_body_of_a_chord_with_a_failed_member_never_runs() -> None:
    workflow = grow(*members(3, m1="FAILURE", m2="FAILURE"))
    body = workflow.roots[1]
    assert (body.id, body.state, body.why) == ("body", "never", "add m1 failed, as 1 more")


def test_a_chord_that_waits_for_a_lost_run_says_so() -> None:
    workflow = grow(*members(100, m7=LOST))
    assert workflow.roots[1].state == "never"
    assert workflow.roots[1].why == "waits for 1 of 100: add m7 was lost"


def test_a_chord_says_for_whom_it_waits() -> None:
    workflow = grow(*members(3, m0="STARTED"))
    assert workflow.roots[1].state == "ahead"
    assert workflow.roots[1].why == "waits for 1 of 3: add m0 runs"


def test_members_of_which_nobody_told_are_waited_for_too() -> None:
    view = BrokerView({}, True, {"g": ChordCount(5, 2, ("nobody",), BODY)})
    workflow = grow(*members(2), view=view)
    assert workflow.roots[0].total == 5
    assert workflow.roots[1].why == "waits for 3 of 5: nothing is known of nobody"


def test_equal_siblings_are_one_line_and_trouble_comes_first() -> None:
    workflow = grow(*members(96, m3="FAILURE", m5="STARTED"))
    assert drawn(workflow)[:4] == [
        "chord of 96 g",
        "  member shop.add FAILURE m3",
        "  member shop.add STARTED m5",
        "  member shop.add ×94 SUCCESS",
    ]
    assert workflow.roots[0].counts == (("FAILURE", 1), ("STARTED", 1), ("SUCCESS", 94))
    assert len(workflow.roots[0].run_ids) == 96


def test_chains_in_a_group_are_its_members_from_their_first_link_on() -> None:
    links = [
        one
        for n in range(2)
        for one in (
            item(f"a{n}", plan=Plan(chain=(Step("task", f"b{n}", "shop.add", "g"),))),
            item(f"b{n}", parent=f"a{n}", group="g", plan=Plan(body=BODY)),
        )
    ]
    assert drawn(grow(*links))[:5] == [
        "chord of 2 g",
        "  member shop.add SUCCESS a0",
        "  next shop.add SUCCESS b0",
        "  member shop.add SUCCESS a1",
        "  next shop.add SUCCESS b1",
    ]


def test_equal_chains_are_one_line_a_link() -> None:
    links = [
        one
        for n in range(30)
        for one in (
            item(f"a{n}", plan=Plan(chain=(Step("task", f"b{n}", "shop.add", "g"),))),
            item(f"b{n}", parent=f"a{n}", group="g", plan=Plan(body=BODY)),
        )
    ]
    assert drawn(grow(*links))[:3] == ["chord of 30 g", "  member shop.add ×30 SUCCESS", "  next shop.add ×30 SUCCESS"]


def test_chains_in_a_group_without_plans_are_told_by_where_they_part() -> None:
    links = [
        one
        for n in range(2)
        for one in (item(f"a{n}", parent="p"), item(f"b{n}", parent=f"a{n}", group="g", at=NOW - 50))
    ]
    assert drawn(grow(item("p"), *links))[:3] == [
        "shop.add SUCCESS p",
        "  published group of 2 g",
        "    member shop.add SUCCESS a0",
    ]


def test_the_body_of_a_chord_can_be_a_chord() -> None:
    inner = Step("chord", "h", "", "", (Step("task", "n0", "shop.add", "h"),), 1, Step("task", "end", "shop.total"))
    outer = [item(f"m{n}", group="g", plan=Plan(body=inner)) for n in range(2)]
    within = item("n0", "STARTED", parent="m1", group="h", plan=Plan(body=Step("task", "end", "shop.total")))
    assert drawn(grow(*outer, within)) == [
        "chord of 2 g",
        "  member shop.add SUCCESS m0",
        "  member shop.add SUCCESS m1",
        "body chord of 1 h",
        "  member shop.add STARTED n0",
        "body shop.total ahead end",
    ]


def test_a_chord_in_a_chain_that_did_not_come_so_far_is_drawn_from_the_plan() -> None:
    planned = Step("chord", "g", "", "", tuple(Step("task", f"m{n}", "shop.add", "g") for n in range(20)), 20, BODY)
    assert drawn(grow(item("a", "FAILURE", plan=Plan(chain=(planned,))))) == [
        "shop.add FAILURE a",
        "next chord of 20 never g",
        "  member shop.add ×20 never",
        "body shop.total never body",
    ]


def test_a_body_that_is_told_by_nothing_but_its_time_is_the_body() -> None:
    stock = [item(f"m{n}", group="g") for n in range(2)]
    assert drawn(grow(*stock, item("x", parent="m1", at=NOW - 49)))[-1] == "body shop.add SUCCESS x"


def test_error_callbacks_are_below_the_run_that_failed() -> None:
    plan = Plan(errbacks=(Step("task", "e", "shop.alarm"),))
    workflow = grow(item("a", "FAILURE", plan=plan), item("e", parent="a", task="shop.alarm", plan=Plan()))
    assert drawn(workflow) == ["shop.add FAILURE a", "  errback shop.alarm SUCCESS e"]


def test_callbacks_that_celery_sent_as_a_group_are_callbacks() -> None:
    plan = Plan(errbacks=(Step("task", "e", "shop.alarm"),))
    workflow = grow(item("a", "FAILURE", plan=plan), item("e", parent="a", task="shop.alarm", group="x", plan=Plan()))
    assert drawn(workflow) == ["shop.add FAILURE a", "  errback shop.alarm SUCCESS e"]


def test_an_error_callback_of_a_run_that_goes_on_may_yet_be_called() -> None:
    workflow = grow(item("a", "STARTED", plan=Plan(errbacks=(Step("task", "e", "shop.alarm"),))))
    (child,) = workflow.roots[0].children
    assert (child.role, child.state, child.why) == ("errback", "ahead", "only if add a fails")


def test_a_chain_of_a_thousand_links_is_a_thousand_lines_of_one_depth() -> None:
    links = [item(f"l{n}", parent=f"l{n - 1}" if n else "", plan=chain_of(f"l{n + 1}")) for n in range(1000)]
    assert {depth for depth, _ in grow(*links).walk()} == {0}


def test_runs_that_publish_each_other_in_a_circle_are_drawn_once() -> None:
    workflow = grow(item("a", parent="b"), item("b", parent="a"))
    assert sorted(node.id for _, node in workflow.walk()) == ["a", "b"]


def test_a_message_that_no_event_told_of_is_a_run() -> None:
    from celery_nexus.history.query.families import Family
    from celery_nexus.workflows.items import merge

    waiting = Announced("b", "shop.add", "waiting", "slow", "a", "a", "", Plan())
    items = merge(Family((), {}, {}), BrokerView({"b": waiting}, True, {}), NOW)
    assert (items["b"].state, items["b"].place, items["b"].parent) == ("PENDING", "waiting", "a")
