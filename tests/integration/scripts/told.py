"""Of each step, the commands whose refusal its caller learns, and those that end it in its middle."""

from __future__ import annotations

TOLD: dict[str, str] = {
    "publish": "LPUSH q",
    "publish with a countdown": "TIME nil, ZADD delayed",
    "adopt": "HGET leases, HGET flight, HSET flight, HDEL flight",
    "fetch": ("HGET leases, HLEN waiting, ZRANGE nexus:delayed:q, EXISTS q, LINDEX q, HSET flight, RPOP q"),
    "fetch what is due": (
        "HGET leases, HLEN waiting, TIME nil, ZRANGE nexus:delayed:q, ZRANGEBYSCORE nexus:delayed:q, LPUSH q, "
        "ZREM nexus:delayed:q, EXISTS q, LINDEX q, HSET flight, RPOP q"
    ),
    "start": "HGET leases, HEXISTS flight",
    "restore as next": "HGET leases, HGET flight, RPUSH q, HDEL flight",
    "restore as last": "HGET leases, HGET flight, LPUSH q, HDEL flight",
    "delay": "HGET leases, HGET flight, ZADD delayed, HDEL flight",
    "release a delayed message": "ZSCORE delayed, LPUSH q, ZREM delayed",
    "set_aside": "HGET leases, HGET flight, HSET bytes, HSET facts, ZADD dead, HDEL flight",
    "drop a dead letter": "HGET bytes, ZSCORE dead, HGET facts, RPUSH trash, ZREM dead, HDEL facts, HDEL bytes",
    "retry a dead letter": (
        "HGET bytes, ZSCORE dead, HGET facts, RPUSH trash, LPUSH q, ZREM dead, HDEL facts, HDEL bytes"
    ),
    "take a dropped letter back": "LINDEX trash, HSET bytes, HSET facts, ZADD dead, RPOP trash",
    "take a retried letter back": "LINDEX trash, LPOS q, HSET bytes, HSET facts, ZADD dead, RPOP trash, LREM q",
    "take a letter back whose run was taken": "LINDEX trash, LPOS q, RPOP trash",
    "revive": "DEL result, EXISTS claim, SISMEMBER counted, ZRANGEBYSCORE parts, ZREM parts, SREM counted",
    "release a lock": "GET lock, DEL lock",
    "take a lease": "HGET leases, HSET leases",
    "drop a lease": "HGET leases, HDEL leases",
    "take former lists over": (
        "TYPE former, EXISTS binding, TYPE q, LLEN former, LLEN q, LMOVE q, RENAME former, "
        "TYPE second former, TYPE second, LLEN second former, LLEN second, LMOVE second former"
    ),
    "begin an effect": "GET once, SET once",
    "remove a result": "GET result, DEL result",
    "schedule a mail": "GET settled, HEXISTS mails, ZSCORE due, ZSCORE claimed, ZADD due, HSET mails",
    "claim a mail that is due": (
        "TIME nil, ZRANGEBYSCORE claimed, ZRANGEBYSCORE due, ZADD claimed, ZREM due, HGET mails"
    ),
    "claim a mail again": "TIME nil, ZRANGEBYSCORE claimed, ZRANGEBYSCORE due, HGET mails, ZADD claimed, ZREM claimed",
    "settle a mail": "HDEL mails",
    "cancel a mail": "ZSCORE due, HDEL mails, SET settled, ZREM due",
    "change a mail": "ZSCORE due, HGET mails, HSET mails, ZADD due",
    "delete": "LLEN q, RPUSH trash, LREM q",
    "move": "LLEN q, RPUSH trash, RPUSH target, LREM q",
    "move to the back, and keep nothing": "LLEN q, LPUSH target, LREM q",
    "bring to the front of its list": "LLEN q, LPOS q, LRANGE q, RPUSH trash, RPUSH q, LREM q",
    "delete what is delayed": "ZSCORE delayed, RPUSH trash, ZREM delayed",
    "change what is delayed": "ZSCORE delayed, RPUSH trash, ZADD delayed, ZREM delayed",
    "change the time of what is delayed": "ZSCORE delayed, ZADD delayed",
    "purge": "LLEN q, RENAME q",
    "purge two lists, with a note of the end": "LLEN q, RENAME q, LLEN q2, RENAME q2",
    "take a purge back": "EXISTS q, LLEN trash, PTTL trash, PERSIST trash, RENAME trash",
    "take a purge back in front of what came later": "EXISTS q, LMOVE trash",
    "tell that a run was revoked": "SETEX result",
    "release a list": "GET lock, DEL lock",
    "lay over": "LPOS q, LMOVE q, LINDEX q, LLEN q",
    "lay over and delete": "LPOS q, LMOVE q, LINDEX q, LLEN q, RPUSH trash, LPOP q",
    "lay over and move": "LPOS q, LMOVE q, LINDEX q, LLEN q, RPUSH trash, LPUSH target, LPOP q",
    "lay back": "LINDEX n, LPOS q, LMOVE q, LLEN n, LMOVE n",
    "lay back and delete": "LINDEX n, LPOS q, LMOVE q, LLEN n, LINDEX q, RPUSH trash, RPOP n",
    "lay back and move": "LINDEX n, LPOS q, LMOVE q, LLEN n, LINDEX q, RPUSH trash, LPUSH target, RPOP n",
    "gather": "LPUSH n, LREM q",
    "put a deleted message back": "LLEN q, LPOS q, LINDEX trash, LINSERT q, LSET trash",
    "put a moved message back": "LLEN q, LPOS q, LINDEX trash, LINDEX target, LINSERT q, LSET trash, LREM target",
    "put a message back in front of all": "LINDEX trash, LINDEX target, RPUSH q, LSET trash, LREM target",
    "put a message back from the front of its list": (
        "LLEN q, LPOS q, LINDEX trash, LINDEX q, LSET q, LINSERT q, LSET trash, LREM q"
    ),
    "put a message back into a long list": (
        "LLEN q, LPOS q, LMOVE q, LINDEX trash, LINDEX aside, LPOS aside, LINDEX target, RPUSH q, "
        "LSET trash, LREM target"
    ),
    "put back what has started": "LLEN q, LPOS q, LINDEX trash, LINDEX target, LPOS target, LSET trash",
    "put a delayed message back": "LINDEX trash, ZSCORE delayed, ZADD delayed, LSET trash, ZREM delayed",
    "put a deleted delayed message back": "LINDEX trash, ZADD delayed, LSET trash",
    "merge": "LPOS q, LMOVE q, LINDEX q, LLEN q, LINDEX trash, LINDEX target, RPUSH n, LSET trash, LREM target",
}
"""Commands, each with its key, whose refusal is told; any other is no reason to fail."""

STOPPED: dict[str, str] = {
    "start": "HDEL flight",
    "revive": "GETRANGE result",
    "settle a mail": "ZREM claimed",
    "bring to the front of its list": "RPUSH q",
    "put a deleted message back": "LPOP trash",
    "put a moved message back": "RPOP trash",
    "put back what has started": "LPOP trash",
    "merge": "LPOP trash, LMOVE q",
}
"""Commands whose refusal ends the step after a part of it, which is what it answers, or leaves a mark out."""
