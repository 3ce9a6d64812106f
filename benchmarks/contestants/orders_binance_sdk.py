"""Orders over Binance's official SDK: its WebSocket API, typed replies. No private stream here."""

from __future__ import annotations

import asyncio

from binance_common.configuration import ConfigurationWebSocketAPI
from binance_sdk_derivatives_trading_usds_futures import DerivativesTradingUsdsFutures

from benchmarks.order_workload import PRICE, QUANTITY, SYMBOL, OrderMeasure, stay_on_loopback


async def main() -> None:
    stay_on_loopback()
    measure = OrderMeasure()
    configuration = ConfigurationWebSocketAPI(
        api_key="key", api_secret="secret", stream_url=f"ws://127.0.0.1:{measure.port}/ws-fapi/v1"
    )
    client = DerivativesTradingUsdsFutures(config_ws_api=configuration)
    connection = await client.websocket_api.create_connection()
    for chunk in measure.chunks():
        for number in chunk:
            if measure.rate:
                await asyncio.sleep(measure.wait())
            measure.sending()
            reply = await connection.new_order(
                symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC",
                quantity=float(QUANTITY), price=float(PRICE), new_client_order_id=f"{number:032x}",
                self_trade_prevention_mode="EXPIRE_TAKER", recv_window=2000,
            )  # fmt: skip
            reply.data()
            measure.accepted()
        measure.chunk_is_placed()
    measure.end()


if __name__ == "__main__":
    asyncio.run(main())
