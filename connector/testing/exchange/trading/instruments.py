"""The symbols that can be traded, with their filters as numbers and as ``exchangeInfo`` shows them.

Source: binance_trading §11.3; the figures are those of a liquid pair (captured exchangeInfo).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from connector.testing.exchange.trading.orders import worth
from connector.testing.market.coinm_contracts import contract_terms
from connector.testing.market.matching import Scale

ONE = Decimal(1)


@attrs.frozen(kw_only=True)
class Instrument:
    """One symbol and what its filters allow."""

    symbol: str
    base: str
    quote: str
    scale: Scale
    min_price: Decimal = Decimal("0.01")
    max_price: Decimal = Decimal(1_000_000)
    min_quantity: Decimal = Decimal("0.001")
    max_quantity: Decimal = Decimal(9_000)
    max_market_quantity: Decimal = Decimal(2_000)
    min_notional: Decimal = Decimal(5)
    max_notional: Decimal = Decimal(9_000_000)
    """Spot only."""
    lowest_ratio: Decimal = Decimal("0.8")
    """PERCENT_PRICE: how far below the reference a price may be."""
    highest_ratio: Decimal = Decimal("1.2")
    max_orders: int = 200
    max_algo_orders: int = 5
    max_amends: int = 10
    """binance_trading §5.2."""
    max_position: Decimal | None = None
    """Spot only."""
    market_bound: Decimal = Decimal("0.30")
    """USD-M: marketTakeBound."""
    maintenance: Decimal = Decimal("0.025")
    status: str = "TRADING"
    contract_size: Decimal | None = None
    """COIN-M: dollars of one contract. Quantities are numbers of contracts then."""

    @property
    def settles_in(self) -> str:
        """The asset of margin, profit and fees: the quote, or the coin of COIN-M."""
        return self.quote if self.contract_size is None else self.base

    def worth(self, price: Decimal, quantity: Decimal) -> Decimal:
        """What a quantity is worth at a price, in what it settles in."""
        return worth(price, quantity, self.contract_size)

    @property
    def tick(self) -> Decimal:
        return ONE.scaleb(-self.scale.tick_decimals)

    @property
    def step(self) -> Decimal:
        return ONE.scaleb(-self.scale.lot_decimals)

    def ticks(self, price: Decimal) -> int:
        """A price that passed PRICE_FILTER, in ticks."""
        return int(price.scaleb(self.scale.tick_decimals))

    def lots(self, quantity: Decimal) -> int:
        """A quantity that passed LOT_SIZE, in lots; what is less than one is cut off."""
        return int(quantity.scaleb(self.scale.lot_decimals))

    def price(self, ticks: int) -> Decimal:
        return Decimal(ticks).scaleb(-self.scale.tick_decimals)

    def quantity(self, lots: int) -> Decimal:
        return Decimal(lots).scaleb(-self.scale.lot_decimals)

    def price_text(self, price: Decimal) -> str:
        return f"{price:.{self.scale.price_decimals}f}"

    def quantity_text(self, quantity: Decimal) -> str:
        return f"{quantity:.{self.scale.quantity_decimals}f}"

    def describe_spot(self) -> dict[str, Any]:
        """The symbol in ``GET /api/v3/exchangeInfo``."""
        modes = ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"]
        return {
            "symbol": self.symbol,
            "status": self.status,
            "baseAsset": self.base,
            "baseAssetPrecision": 8,
            "quoteAsset": self.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": [
                "LIMIT",
                "LIMIT_MAKER",
                "MARKET",
                "STOP_LOSS_LIMIT",
                "TAKE_PROFIT_LIMIT",
            ],
            "icebergAllowed": False,
            "ocoAllowed": False,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": False,
            "cancelReplaceAllowed": True,
            "amendAllowed": True,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": self._spot_filters(),
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": modes,
        }

    def _spot_filters(self) -> list[dict[str, Any]]:
        price, number = self.price_text, _eight
        filters: list[dict[str, Any]] = [
            {"filterType": "PRICE_FILTER", "minPrice": price(self.min_price),
             "maxPrice": price(self.max_price), "tickSize": price(self.tick)},
            {"filterType": "LOT_SIZE", "minQty": number(self.min_quantity),
             "maxQty": number(self.max_quantity), "stepSize": number(self.step)},
            {"filterType": "MARKET_LOT_SIZE", "minQty": number(Decimal(0)),
             "maxQty": number(self.max_market_quantity), "stepSize": number(Decimal(0))},
            {"filterType": "PERCENT_PRICE_BY_SIDE",
             "bidMultiplierUp": f"{self.highest_ratio}",
             "bidMultiplierDown": f"{self.lowest_ratio}",
             "askMultiplierUp": f"{self.highest_ratio}",
             "askMultiplierDown": f"{self.lowest_ratio}",
             "avgPriceMins": 5},
            {"filterType": "NOTIONAL", "minNotional": number(self.min_notional),
             "applyMinToMarket": True, "maxNotional": number(self.max_notional),
             "applyMaxToMarket": False, "avgPriceMins": 5},
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": self.max_orders},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": self.max_algo_orders},
            {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": self.max_amends},
        ]  # fmt: skip
        if self.max_position is not None:
            filters.append({"filterType": "MAX_POSITION", "maxPosition": number(self.max_position)})
        return filters

    def describe_usdm(self) -> dict[str, Any]:
        """The symbol in ``GET /fapi/v1/exchangeInfo``."""
        return {
            "symbol": self.symbol,
            "pair": self.symbol,
            "contractType": "PERPETUAL",
            "deliveryDate": 4_133_404_800_000,
            "onboardDate": 1_569_398_400_000,
            "status": self.status,
            "maintMarginPercent": f"{self.maintenance * 100:.4f}",
            "requiredMarginPercent": "5.0000",
            "baseAsset": self.base,
            "quoteAsset": self.quote,
            "marginAsset": self.quote,
            "pricePrecision": self.scale.price_decimals,
            "quantityPrecision": self.scale.quantity_decimals,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "triggerProtect": "0.0500",
            "liquidationFee": "0.012500",
            "marketTakeBound": f"{self.market_bound}",
            "filters": self._usdm_filters(),
            "orderTypes": ["LIMIT", "MARKET"],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        }

    def describe_coinm(self) -> dict[str, Any]:
        """The symbol in ``GET /dapi/v1/exchangeInfo``: there is no MIN_NOTIONAL."""
        filters = [each for each in self._usdm_filters() if each["filterType"] != "MIN_NOTIONAL"]
        filters.append({"filterType": "MAX_NUM_ALGO_ORDERS", "limit": self.max_algo_orders})
        return {
            **contract_terms(self.symbol, self.status),
            "maintMarginPercent": f"{self.maintenance * 100:.4f}",
            "requiredMarginPercent": "5.0000",
            "marketTakeBound": f"{self.market_bound}",
            "filters": filters,
            "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT"],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        }

    def _usdm_filters(self) -> list[dict[str, Any]]:
        return [
            {"filterType": "PRICE_FILTER", "minPrice": f"{self.min_price}",
             "maxPrice": f"{self.max_price}", "tickSize": f"{self.tick}"},
            {"filterType": "LOT_SIZE", "minQty": f"{self.min_quantity}",
             "maxQty": f"{self.max_quantity}", "stepSize": f"{self.step}"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": f"{self.min_quantity}",
             "maxQty": f"{self.max_market_quantity}", "stepSize": f"{self.step}"},
            {"filterType": "MAX_NUM_ORDERS", "limit": self.max_orders},
            {"filterType": "MIN_NOTIONAL", "notional": f"{self.min_notional}"},
            {"filterType": "PERCENT_PRICE", "multiplierUp": f"{self.highest_ratio}",
             "multiplierDown": f"{self.lowest_ratio}", "multiplierDecimal": "4"},
        ]  # fmt: skip


def _eight(number: Decimal) -> str:
    return f"{number:.8f}"
