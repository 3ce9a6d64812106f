"""The simulated exchange: servers that behave as a venue's do, with faults on request.

`exchange` has the entry point, `open_exchange`. `handshake` accepts a client and `connection`
serves it; `stream_requests` and `rest` answer requests; `outbox` bounds the unsent data;
`running_plan` and `lasting_faults` decide which faults strike; `event_log` records all events.
`trading` is the private side: accounts, orders, and their faults.

.. code-block:: text

    a market's payload → connection → outbox → network
    client's bytes → network → handshake → connection → stream_requests → reply
"""
