"""The base classes of channels and of events, below everything that is made of them.

`connector.channels` and `connector.events` have the channels and the events themselves, and the
names of this room that users need. It imports nothing of the package.

.. code-block:: text

    Channel → what a program subscribes to → Event → its public fields
"""
