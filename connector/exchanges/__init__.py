"""The exchanges, one folder per venue, pure: from bytes to events, from channels to requests.

`protocol` is the interface that every exchange implements. An exchange is a frozen value. It names
streams, writes requests, reads replies, decodes payloads, numbers books and states limits; it does
no I/O, keeps no state, and may import book rules and the words (channels, events, errors).

.. code-block:: text

    channel → stream name, request        frame → reply or data → event
"""
