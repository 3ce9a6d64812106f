"""What a program hands over: checked, with advice where it is wrong, and read exactly.

`validation` checks arguments, `decimals` reads and computes the numbers of orders, and `blocks`
refuses an ``async with`` block that is used in another way. It may import `connector.errors` only.

.. code-block:: text

    argument → check → the value, or an error that says what to write
"""
