"""Train one network on several processes or machines from Python, with mpi4py.

    mpirun -n 4 python3 train.py [KIND:PATH [OUT.onnx]]

Every process computes its part of each batch; what is summed over them goes through `sum_over_ranks`. Set
OMP_NUM_THREADS to the processors of one process. Ends with 77 (skipped) where mpi4py is not installed."""
import sys

import numpy as np

import rescomp

try:
    from mpi4py import MPI
except ImportError:
    print('skipped: mpi4py is not installed')
    sys.exit(77)

comm = MPI.COMM_WORLD
rank, ranks = comm.Get_rank(), comm.Get_size()


def sum_over_ranks(array):
    """In place; the library hands over fused float32 arrays of gradients and statistics."""
    comm.Allreduce(MPI.IN_PLACE, array, MPI.SUM)


def images():
    """What the user names, else stripes: class k is bright at columns 3k .. 3k+2."""
    if len(sys.argv) > 1:
        return rescomp.Dataset.open(sys.argv[1], split='train')
    y = np.arange(512) * 7 % 10
    x = np.random.default_rng(0).integers(0, 128, (len(y), 3, 32, 32)).astype(np.uint8)
    for i, k in enumerate(y):
        x[i, :, :, 3 * k:3 * k + 3] += 100
    return rescomp.Dataset.from_arrays(x, y)


def show(p):
    if rank == 0:
        print(f"step {p['step']}/{p['steps']} loss {p['loss']:.7f}", flush=True)


try:
    data = images()
    channels, height, width = data.shape
    graph = rescomp.Graph.create('resnet8', classes=data.classes, channels=channels, height=height, width=width,
                                 multiplier=0.5, seed=1)  # the same seed everywhere: the same weights
    rescomp.train(graph, data, batch=64, images=512, lr=0.01, progress=show, ranks=ranks, rank=rank,
                  all_reduce=sum_over_ranks if ranks > 1 else None)
    if rank == 0 and len(sys.argv) > 2:
        graph.save(sys.argv[2])
except Exception as error:
    print(f'train.py: rank {rank}: {type(error).__name__}: {error}', file=sys.stderr, flush=True)
    comm.Abort(1)  # the others may be waiting for this one
