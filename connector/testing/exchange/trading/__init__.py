"""The trading side of the simulated exchange: keys, limits, a matching engine, wallets, reports.

It is written from the protocol notes alone and shares no code with a client, so that a client is
not tested against itself. Requests enter through `conversation`, `private_stream` and `rest_door`
(the "doors"). `desk` applies delays and faults, `gateway` checks requests, `spot` and `usdm` know
the methods and fields of their venue, `engine` matches orders, `accounts` hold the true state, and
tests use `control`. Only the doors and the desk use trio; the rest gets the time as an argument.

.. code-block:: text

    request → door → desk → gateway → spot/usdm → engine → clearing
      reply ← door ← desk ←            the method ←┘   └→ tape → reports → streams → door → event
"""
