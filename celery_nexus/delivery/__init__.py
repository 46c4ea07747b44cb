"""Reliable delivery: the way of messages to workers, and the end of those that can't run.

Queues are the ten lists of stock Celery. With ``NEXUS_DELIVERY=reliable`` these keys are beside them, each
behind kombu's ``global_keyprefix``; :mod:`celery_nexus.delivery.keys` names them:

==========================  ======================================================================================
``nexus:inflight:NODE``     hash: what the worker NODE holds. Field ``ID LIST`` (the list it was taken from, ids in
                            order of delivery), value: the message's bytes, unchanged
``nexus:started:NODE``      hash: field of each message above whose run was handed to a child or thread
``nexus:delayed:QUEUE``     sorted set by due time: one digit, the priority, then the message's bytes
``nexus:wake:QUEUE``        list with at most one element: an idle worker blocks on it
``nexus:waiting``           hash: QUEUE → which of its lists may hold something, when its next delayed message is due
``nexus:leases``            hash: node → JSON of the process that owns the name; its token is the fence of what it holds
``nexus:counters``          hash: ``submitted`` and ``retried``, messages published
``nexus:dead``              sorted set by time of the dead letters' ids; their facts (JSON) in the hash
                            ``nexus:dead:facts``, their bytes in ``nexus:dead:bytes``
==========================  ======================================================================================

A fetch is one script: due messages are moved from the delayed sets into the lists, the first messages are popped
and recorded as in flight. An acknowledgement deletes the record. What a worker held when it died is put back by
its next incarnation, or by the guardian.
"""
