"""``connector run``: run the adapters and sinks of a configuration, and apply its changes.

`configuration` reads the file, `program` runs it until a signal, `service` makes adapters, sinks
and the pumps between them equal to it, `pages` and `registry` show what runs.

.. code-block:: text

    adapter → event_pump or frame_pump → sink_slot → a sink of `sinks`
"""
