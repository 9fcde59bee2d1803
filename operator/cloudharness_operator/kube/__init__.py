"""The API server: HTTP, requests, lists and watches, and kopf."""
