"""``connector run``: a configuration as a running thing that follows its file.

`configuration` reads the file, `program` runs it until a signal, `service` makes adapters, sinks
and the pumps between them equal to it, `pages` and `registry` show what runs.

.. code-block:: text

    adapter → event_pump or frame_pump → sink_slot → a sink of `sinks`
"""
