"""How the simulated exchange trades: keys, filters, limits, a matching engine, wallets, reports.

Written from the protocol notes alone, and from no client: whoever is tested against it is not
tested against itself. `conversation`, `private_stream` and `rest_door` are its doors, `desk` lets
time pass and things go wrong, `gateway` lets requests in, `spot` and `usdm` know the methods and
words of their venue, `engine` matches, `accounts` are the truth, and `control` is what a test
holds. Only the doors and the desk know trio; the rest is told the time.

.. code-block:: text

    request → door → desk → gateway → spot/usdm → engine → clearing
      reply ← door ← desk ←            the method ←┘   └→ tape → reports → streams → door → event
"""
