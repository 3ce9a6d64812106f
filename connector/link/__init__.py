"""One reconnect loop, one connection at a time: from the dial to the next dial.

`link` is the loop; `states` is the table that it is held to, `pacing` says when it may dial.
`session` is one connection: `wire_subscriptions` makes what the exchange sends equal to what is
wanted, `silence` notices a stream that has stopped. `rest` sends the adapter's requests. `source`
is where frames come from when nothing is dialled (a recording, Redis), `raw_frames` where they are
tapped for recording. `outcome` decides which one exception leaves a block of ours. It may import
feeds, exchanges and transport.

.. code-block:: text

    transport → session → feeds.delivery          (a frame arrives)
    wanted stream → wire_subscriptions → session → transport          (a request leaves)
"""
