"""Which looks are taken: every list fits, everyone gets a turn, and the agenda keeps the order whatever moves in it."""

from __future__ import annotations

from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given

from eigenpal.waiting.agenda import Agenda, withdraw
from eigenpal.waiting.kinds import Kind
from eigenpal.waiting.rounds import FETCHES_AT_ONCE, LISTS_AT_ONCE, Lists, Rounds
from eigenpal.waiting.watched import Watched
from tests.waiting.platform import Job, Platform


@attrs.define(eq=False)
class Item:
    due: float
    agenda: Agenda[Any] | None = None
    place: int = 0


@given(st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 50))), max_size=300))
def test_an_agenda_is_a_sorted_list_in_which_things_move(steps: list[tuple[int, int | None]]) -> None:
    agendas: list[Agenda[Item]] = [Agenda(), Agenda()]
    items = [Item(0.0) for _ in range(10)]
    for number, due in steps:
        item = items[number]
        if due is None:
            withdraw(item)
        else:
            item.due = due
            agendas[due % 2].put(item)
        for agenda in agendas:
            planned = [item for item in items if item.agenda is agenda]
            assert len(agenda) == len(planned)
            first = agenda.first()
            assert (first is None) == (not planned)
            if first is not None:
                assert first.due == min(item.due for item in planned)
    agendas[0].move_all_to(agendas[1])
    assert len(agendas[0]) == 0
    order: list[float] = []
    while (first := agendas[1].first()) is not None:
        order.append(first.due)
        withdraw(first)
    assert order == sorted(order)


def test_an_agenda_that_is_left_often_does_not_grow() -> None:
    agenda: Agenda[Item] = Agenda()
    item = Item(1.0)
    for _ in range(10_000):
        agenda.put(item)
    assert len(agenda._heap) < 200


def kind(**changes: Any) -> Kind[Job]:
    return attrs.evolve(Platform().watcher().kind, **changes)


IDS = st.lists(st.text("abcdef0123456789_-", min_size=1, max_size=60), max_size=400, unique=True)


@given(IDS, st.integers(1, 100), st.integers(1, 2_000))
def test_every_list_fits_and_everyone_is_looked_at_once(ids: list[str], most_ids: int, characters: int) -> None:
    rounds = Rounds(kind(most_ids=most_ids, most_characters=characters), Lists(work=True))
    for work_id in ids:
        rounds.put(Watched[Job](work_id, due=1.0, since=0.9), now=0.9)
    assert rounds.take(0.99) == []
    assert ids == [] or rounds.next_at() == 1.0
    looks: list[list[str]] = []
    while items := rounds.take(1.0):
        looks.append([item.id for item in items])
        rounds.ended(is_list=len(items) > 1)
    assert sorted(work_id for look in looks for work_id in look) == sorted(ids)
    for look in looks:
        assert len(look) <= most_ids
        assert len(look) == 1 or len("%2C".join(look)) <= characters
    if ids and characters > 63 * 100:
        assert len(looks) == -(-len(ids) // most_ids)


@pytest.mark.parametrize(("alone", "most"), [(False, LISTS_AT_ONCE), (True, FETCHES_AT_ONCE)])
def test_so_many_looks_are_under_way_and_no_more(alone: bool, most: int) -> None:
    rounds = Rounds(kind(most_ids=2), Lists(work=True))
    for number in range(200):
        rounds.put(Watched[Job](f"job_{number}", alone=alone, due=0.0), now=0.0)
    taken = 0
    while rounds.take(0.0):
        taken += 1
    assert taken == most
    assert rounds.next_at() == float("inf")
    rounds.ended(is_list=not alone)
    assert rounds.next_at() == 0.0
    assert rounds.take(0.0)
