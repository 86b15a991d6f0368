"""A sysplex with TLS, and everybody who may come to its doors."""
