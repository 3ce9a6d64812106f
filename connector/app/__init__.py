"""The command line, with a package for each group of commands. It needs the extra ``cli``.

`demo` shows an adapter that survives, `recordings` records, replays and exports, `running` is
``connector run`` with its configuration, sinks and pages, `books` draws an order book, `soaking`
looks for growth, and `redis` passes frames on to other processes. `commands` lists the commands,
`naming` writes exchanges and channels as text. Nothing imports this room.

.. code-block:: text

    key press or signal → cli → commands → the command's room → open_adapter … → a screen, a file
"""
