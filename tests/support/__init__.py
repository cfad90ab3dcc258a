"""support: what the tests share, typed; on the path of pytest and mypy by the name `support`."""
