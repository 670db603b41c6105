"""HTTP: the transport, TLS, proxies, and the table of network errors."""
