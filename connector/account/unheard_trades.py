"""Find missed trades of instruments that the program never traded, by changed balances.

Another program, or the exchange's app, may trade instruments that this program does not. Exchanges
list trades per instrument, so we must know for which instruments to ask. A changed position or a
pair of changed balances identifies the instrument. If only the margin has changed, we look at the
orders of that period, or ask for every instrument that settles in this asset.
"""

from __future__ import annotations

from connector.account.account_state import Office
from connector.account.asking import Conversation
from connector.account.history import read_fills
from connector.trading.venue import AccountReading


async def read_unheard_trades(
    office: Office, conversation: Conversation, reading: AccountReading
) -> None:
    """Tell the trades of all instruments that may have moved what differs from the last reading.

    Raises:
        ExchangeUnavailable, Refused: as `synchronise`.
    """
    since_ns = office.book.holdings.agreed_ns
    if not since_ns:
        return  # the first reading: nothing was shown before
    assets, symbols = office.book.holdings.moved(reading)
    if not assets and not symbols:
        return
    if not office.trading.promises.margin:
        symbols = {
            symbol
            for symbol, each in office.instruments.items()
            if each.base in assets and each.quote in assets
        }
    elif (request := office.trading.orders_since(since_ns)) is not None:
        orders = await conversation.ask(request)
        symbols |= {each.symbol for each in orders if each.filled}
        # One that was open before is not among those since then.
        symbols |= {each.symbol for each in office.book.others.values()}
    else:
        symbols |= {symbol for symbol, each in office.instruments.items() if each.settle in assets}
    asked = office.symbols()
    for symbol in sorted(symbols & office.instruments.keys() - asked):
        fills = await read_fills(office, conversation, symbol, since_ns=since_ns)
        if fills:
            office.book.trades_are_complete({symbol: fills[-1].trade_id})
