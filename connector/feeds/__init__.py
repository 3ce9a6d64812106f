"""Decode payloads once, buffer the events within a limit, and hand them to a consumer per batch.

`delivery` receives the payloads of one read; `hot_loop` decodes them and finds their
`subscription`; a `buffer` holds the events for one consumer, under one overflow policy; `wakeup`
wakes the consumer once per batch; `feed` is the object it iterates. `gap_markers` are losses that
wait in a buffer, `backpressure` decides when a link must not read, and `late_decoding` keeps only
the newest frame as bytes. This package may import exchanges and transport.

.. code-block:: text

    payloads of a read → delivery → hot_loop → buffer → wakeup → feed → ``async for``
"""
