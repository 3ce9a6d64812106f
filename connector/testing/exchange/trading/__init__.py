"""How the simulated exchange trades: keys, filters, limits, a matching engine, wallets, reports.

Written from the protocol notes alone, and from no client: whoever is tested against it is not
tested against itself. All of it is pure but what says that it is not: time comes in as a number.

    request → gateway (window, signature, weight, filters) → engine (matching, clearing)
            ← reply                                        → reports → streams → private sockets
"""
