"""Compress trained residual networks: prune, quantize, distil, train, run.

Thin bindings of libresnetcompress: same names, same defaults. The library is found by the
environment variable RESNETCOMPRESS_LIBRARY, then beside this package, then by its soname.
"""
from ._arrays import Weight
from ._core import Context, Graph, Packed, Session, Survey, default_context, measure_latency
from ._data import Dataset
from ._device import Device
from ._ffi import ArgumentError, Cancelled, Error, FileError, GoalMissed, OutOfMemory, version
from ._methods import methods
from ._prune import Pruner, prune
from ._quantize import Quantizer, quantize
from ._recipe import compress, recipe_check, recipe_default
from ._report import Report
from ._train import Distiller, Trainer, evaluate, reestimate_bn, train

__version__ = "0.1.0"
__all__ = ["ArgumentError", "Cancelled", "Context", "Dataset", "Device", "Distiller", "Error", "FileError",
           "GoalMissed", "Graph", "OutOfMemory", "Packed", "Pruner", "Quantizer", "Report", "Session", "Survey", "Trainer",
           "Weight", "compress", "default_context", "evaluate", "measure_latency", "methods", "prune", "quantize",
           "recipe_check", "recipe_default", "reestimate_bn", "train", "version"]
