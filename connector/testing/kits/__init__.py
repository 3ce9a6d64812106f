"""The simulated venues other than Binance: a folder each, and what they share.

`kit` says what a venue is made of, `table` names the venues, `kit_market` plays the order flow for
them. A venue's folder is written from the documentation of the venue, not from the client's code.
May import the market, the network and the rules; the simulated exchange serves the kits.

.. code-block:: text

    client's text → dialect → replies, subscriptions      order flow → desk → messages
"""
