"""How bytes travel: one port, several transports behind it, and the connections of a client in front of them."""

from eigenpal.engine.transport.connections import Connections
from eigenpal.engine.transport.options import TransportOptions
from eigenpal.engine.transport.port import Body, Request, Response, Transport, TransportFailure

__all__ = ["Body", "Connections", "Request", "Response", "Transport", "TransportFailure", "TransportOptions"]
