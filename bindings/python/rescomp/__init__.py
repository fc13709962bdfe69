"""Compress trained residual networks: prune, quantize, distil, train, run.

Thin bindings of libresnetcompress: same names, same defaults. The library is found by the
environment variable RESNETCOMPRESS_LIBRARY, then beside this package, then by its soname.
"""
from ._core import Context, Graph, Session, default_context, measure_latency
from ._ffi import ArgumentError, Cancelled, Error, FileError, OutOfMemory, version

__version__ = "0.1.0"
__all__ = ["ArgumentError", "Cancelled", "Context", "Error", "FileError", "Graph", "OutOfMemory", "Session",
           "default_context", "measure_latency", "version"]
