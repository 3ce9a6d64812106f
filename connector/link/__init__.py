"""One reconnect loop with one connection at a time, from each dial to the next.

`link` is the loop, `states` the table of its states, and `pacing` decides when it may dial.
`session` is one connection: `wire_subscriptions` subscribes and unsubscribes until the exchange
sends the desired streams, and `silence` detects streams that have stopped. `rest` sends the
adapter's requests. `source` provides frames without a connection (from a recording or Redis), and
`raw_frames` copies frames for recorders. `outcome` chooses the one exception that leaves a block of
this library. This package may import feeds, exchanges and transport.

.. code-block:: text

    transport → session → feeds.delivery          (a frame arrives)
    wanted stream → wire_subscriptions → session → transport          (a request leaves)
"""
