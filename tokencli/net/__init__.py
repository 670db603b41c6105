"""HTTP: the transport, TLS, proxies, and every network failure put into words."""
