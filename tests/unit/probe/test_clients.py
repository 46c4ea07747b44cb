"""What is read off ``CLIENT LIST``."""

from __future__ import annotations

from celery_nexus.probe.clients import Client, count_consuming, parse_clients, read_clients, took_last

REDIS_7 = (
    b"id=9 addr=127.0.0.1:41408 laddr=127.0.0.1:7391 fd=12 name= age=3 idle=1 flags=b db=0 sub=0 psub=0 "
    b"qbuf=0 argv-mem=39 events=r cmd=brpop user=default redir=-1 resp=3\n"
    b"id=10 addr=/tmp/r.sock:0 laddr=/tmp/r.sock:0 fd=13 name=a-name age=3 idle=7 flags=UN db=0 sub=0 psub=0 multi=-1 "
    b"qbuf=0 events=r cmd=brpop user=default\n"
    b"id=11 addr=[::1]:500 laddr=[::1]:7391 fd=14 name= age=3 idle=0 flags=N db=3 sub=0 cmd=client|list\n"
)


def test_connections_of_another_database_are_left_out() -> None:
    assert parse_clients(REDIS_7, 3) == [Client("[::1]:500", "[::1]:7391", 14, 0, False, "client|list")]


def test_a_blocked_pop_is_told_from_one_that_has_its_message() -> None:
    waiting, busy = parse_clients(REDIS_7, 0)
    assert (waiting.is_consuming, busy.is_consuming) == (True, False)
    assert (waiting.address, busy.address) == ("127.0.0.1:41408", "/tmp/r.sock:0")


def test_a_list_of_redis_5_has_no_address_of_the_server() -> None:
    [row] = parse_clients(b"id=3 addr=10.0.0.7:999 fd=8 name= age=1 idle=0 flags=b db=0 sub=0 psub=0 cmd=brpop\n", 0)
    assert (row.address, row.server, row.is_consuming) == ("10.0.0.7:999", "", True)


def test_fields_of_later_servers_and_spaces_in_a_path_are_no_matter() -> None:
    valkey_9 = (
        b"id=29 addr=[/a b/broker.sock:0]:0 laddr=[/a b/broker.sock:0]:0 fd=30 name= age=13 idle=0 flags=bU capa= db=0 "
        b"sub=0 psub=0 multi=-1 watch=0 qbuf=0 events=r cmd=brpop user=default lib-name=redis-py lib-ver=8.1.0\n"
    )
    [row] = parse_clients(valkey_9, 0)
    assert (row.fd, row.is_consuming, row.server) == (30, True, "[/a b/broker.sock:0]:0")


def test_a_list_of_which_nothing_can_be_read_is_none() -> None:
    assert read_clients(b"id=one addr=here", 0) is None
    assert read_clients(None, 0) is None


def test_who_waited_a_moment_ago_still_consumes() -> None:
    between = Client("a:1", "b:2", 3, 1, False, "brpop")
    assert count_consuming([between]) == 1
    assert took_last([between]) is None


def test_who_took_a_message_last_is_the_one_that_was_heard_last() -> None:
    older, newer = (Client("a:1", "b:2", 3, idle_s, False, "brpop") for idle_s in (90, 4))
    assert took_last([older, newer]) == newer


def test_rubbish_is_no_connection() -> None:
    assert parse_clients(b"id=x addr=\n\nid=1 addr=a fd=z\n", 0) == []
