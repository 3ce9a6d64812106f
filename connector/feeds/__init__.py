"""From payloads to a consumer: decoded once, bounded by a buffer, handed over per batch.

`delivery` takes the payloads of one read; `hot_loop` decodes them and finds their `subscription`;
a `buffer` holds the events for one consumer, under one overflow policy; `wakeup` wakes it once per
batch; `feed` is what it iterates. `gap_markers` are losses that wait in a buffer, `backpressure`
says when a link must not read, `late_decoding` keeps only the newest frame as bytes. It may import
exchanges and transport.

.. code-block:: text

    payloads of a read → delivery → hot_loop → buffer → wakeup → feed → ``async for``
"""
