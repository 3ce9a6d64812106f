"""The simulated exchange: what a client meets at its servers, with faults on request.

`exchange` is the door (`open_exchange`); `handshake` meets a client; `connection` serves it,
`stream_requests` and `rest` answer; `outbox` bounds what is unsent; `running_plan` and
`lasting_faults` decide what goes wrong; `event_log` remembers it. `trading` is its private side:
accounts, orders, and what can go wrong with them.

.. code-block:: text

    a market's payload → connection → outbox → network
    client's bytes → network → handshake → connection → stream_requests → reply
"""
